package sandbox

// The card tokens that the gateway has rules for. A token that is none of them
// is charged like TokenOK.
const (
	// TokenOK is charged.
	TokenOK = "tok_ok"
	// TokenDeclined is declined.
	TokenDeclined = "tok_declined"
	// TokenOutage brings 500 at a key's first call, which charges nothing; later
	// calls charge.
	TokenOutage = "tok_outage"
	// Token500AfterCharge is charged, yet every call is answered with 500: a
	// gateway that keeps answers by key keeps that one too. Only the look-up tells.
	Token500AfterCharge = "tok_500_after_charge"
	// TokenHang leaves a key's first call without an answer and charges nothing,
	// until the client goes away or [Options.Hang] is over; later calls charge.
	TokenHang = "tok_hang"
	// TokenReset is charged, and the connection of the call that charged it is
	// reset without an answer. Later calls are answered.
	TokenReset = "tok_reset"
	// TokenSlow is charged at once and answered after [Options.Slow].
	TokenSlow = "tok_slow"
)
