// Package sandbox stands in for the two outside servers of the example shop: a
// payment gateway that speaks HTTP and a mail server that speaks SMTP. Both are
// real servers on 127.0.0.1, and both remember in files, so that a run can be
// reconciled with them afterwards: what was charged, and what was mailed.
//
// # The gateway
//
// POST /charges with the header Idempotency-Key and a JSON object of amount (in
// minor units), currency, source (the card's token) and, if the caller likes,
// reference (its order) asks for one charge. The answer is 201 with the charge's
// id, or 402 with the reason of a decline. The same key brings the same answer
// again and never a second charge; with other parameters it is refused with 422,
// and with 409 while another call with that key is under way. GET /charges?key=K
// tells what became of a key: 200 with the id, 402 with the reason, 404 if
// nothing was charged or declined, 409 while that is being decided. An error
// comes as a JSON object with its reason.
//
// What goes wrong is told by the card's token, see [TokenOK] and those after it.
//
// # The mail server
//
// Each message becomes one .eml file, of at most 1 MiB and for at most a hundred
// recipients. Recipients at refused.example, and those called refused@ whatever,
// are refused for good (550 5.1.1); those at greylisted.example are put off once
// (451 4.7.1).
//
// # The folder
//
//	ledger.jsonl    one line per charge, decline and call that broke
//	refusals.jsonl  one line per recipient that was refused
//	mail/*.eml      the messages, numbered as they came
//	sandbox.lock    held while a sandbox runs
//
// An answer is given only after its line or message is on the disk, so a sandbox
// that was killed and started again on its folder remembers all that it has
// answered. One folder goes with one database: order numbers and ids that start
// anew would meet those of an earlier run.
package sandbox
