package sandbox

import (
	"strings"

	"github.com/emersion/go-smtp"
)

// A verdict is what the mail server thinks of a recipient.
type verdict int

const (
	accepted   verdict = iota
	refused            // for good
	greylisted         // the first time
)

// judge applies the rules for recipients: refused@ any domain, and any address
// at refused.example, are refused for good; any address at greylisted.example is
// put off once.
func judge(recipient string) verdict {
	at := strings.LastIndexByte(recipient, '@')
	if at < 0 {
		return accepted
	}
	local, domain := strings.ToLower(recipient[:at]), strings.ToLower(recipient[at+1:])
	switch {
	case local == "refused" || domain == "refused.example":
		return refused
	case domain == "greylisted.example":
		return greylisted
	}
	return accepted
}

// maxAddress is the longest address, by RFC 5321.
const maxAddress = 320

// checkAddress refuses what could break out of a header's line or a log's.
func checkAddress(address string) error {
	malformed := strings.ContainsFunc(address, func(r rune) bool {
		return r < ' ' || r == 0x7f || r == '\uFFFD'
	})
	if malformed || len(address) > maxAddress {
		return &smtp.SMTPError{
			Code: 553, EnhancedCode: smtp.EnhancedCode{5, 1, 3}, Message: "Malformed address",
		}
	}
	return nil
}
