// Here: what a mail says, as plain text and as HTML.

package jobs

import (
	"html"
	"strings"
	"unicode"
)

// A letter is a mail's body. Its two forms say the same.
type letter struct {
	to         string // a name in one line, or ""
	paragraphs []string
	link       string // a URL to follow, or ""
}

func (l letter) greeting() string {
	if l.to == "" {
		return "Dear customer,"
	}
	return "Dear " + l.to + ","
}

func (l letter) text() string {
	parts := append([]string{l.greeting()}, l.paragraphs...)
	if l.link != "" {
		parts = append(parts, l.link)
	}
	return strings.Join(parts, "\n\n") + "\n"
}

func (l letter) html() string {
	var b strings.Builder
	b.WriteString("<!DOCTYPE html>\n<html lang=\"en\"><body>\n")
	for _, p := range append([]string{l.greeting()}, l.paragraphs...) {
		b.WriteString("<p>" + html.EscapeString(p) + "</p>\n")
	}
	if l.link != "" {
		link := html.EscapeString(l.link)
		b.WriteString(`<p><a href="` + link + `">` + link + "</a></p>\n")
	}
	b.WriteString("</body></html>\n")
	return b.String()
}

// oneLine folds the line breaks of a name, and whatever else no one sees, to spaces.
func oneLine(name string) string {
	return strings.Join(strings.FieldsFunc(name, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r)
	}), " ")
}
