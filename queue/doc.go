// Package queue runs jobs that are rows of a Postgres table.
//
// Most programs need four of its names. An [Args] says what to do;
// [Client.Insert] puts it on the queue, in the caller's own transaction if it
// is handed one; [Handle] names the code that does it; a [Worker] runs that
// code. The example below is a whole program.
//
// # Life of a job
//
// Insert writes a row that is queued. A Worker claims it with SELECT … FOR
// UPDATE SKIP LOCKED: the row is running and carries a token that no other
// claim has. The handler returns:
//
//	nil              completed
//	an error         queued again after its Backoff; dead after MaxAttempts
//	Snooze(d)        queued again after d; the run is not counted
//	NoRetry(err)     dead at once
//	Discard(err)     discarded: finished, its error kept
//
// Completed, cancelled and discarded jobs move to finished_jobs, a table with
// one partition for each day. Dead jobs move to dead_jobs and stay there until
// someone retries, cancels or deletes them. A job whose process died is claimed
// again by another; that run counts as lost, not as failed, and after three of
// them the job is dead, so that a job that kills its process cannot do so for
// ever.
//
// # Promises
//
// A job exists if and only if the transaction that inserted it committed.
//
// Every job runs at least once, until one attempt succeeds, its policy gives it
// up or an operator decides. What a handler does outside this database, it may
// therefore do twice: give it an idempotency key that does not change between
// attempts, such as the job's ID.
//
// What a handler writes in the transaction that ends its job ([HandleTx],
// [Job.Complete]) is committed exactly once if the job completed and not at all
// if it did not, through any number of crashes.
//
// A worker that has lost its claim changes nothing: every write about a job
// checks the token, and answers [ErrLost].
//
// Not promised: a global order, at most one run, and protection from a database
// clock that jumps forward. That clock decides everything; a program's own
// clock decides nothing.
//
// # SQL
//
// The tables, their columns and their views are part of the interface and carry
// comments (\d+ jobs in psql). The functions enqueue_job, retry_job and
// cancel_job do from SQL what Insert, Retry and Cancel do from Go. The package
// finds its tables by the connection's search_path; package migrations makes
// them.
package queue
