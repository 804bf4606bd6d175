// Here: graphile-worker, a job queue for Node on Postgres.

package main

// newGraphile has the settings of its own performance page.
func newGraphile() peer {
	return &nodePeer{
		key: "graphile",
		about: About{
			Name: "graphile-worker", Store: "Postgres",
			Settings: "concurrentJobs 24, maxPoolSize 25, localQueue size 500, " +
				"completeJobBatchDelay 0, failJobBatchDelay 0",
			Source:  "https://worker.graphile.org/docs/performance",
			Insert:  "addJobs, 10,000 a call",
			History: "none, the row is deleted",
		},
		emptySQL: `TRUNCATE graphile_worker._private_jobs`,
		ledger: ledger{
			lastSQL:  `SELECT coalesce(max(id), 0) FROM graphile_worker._private_jobs`,
			tailSQL:  `SELECT EXISTS (SELECT FROM graphile_worker._private_jobs WHERE id > $1)`,
			countSQL: `SELECT count(*) FROM graphile_worker._private_jobs WHERE $1::bigint > 0`,
		},
	}
}
