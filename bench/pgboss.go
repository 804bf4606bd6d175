// Here: pg-boss, a job queue for Node on Postgres.

package main

// newPgboss has the fastest polling that pg-boss documents.
func newPgboss() peer {
	return &nodePeer{
		key: "pgboss",
		about: About{
			Name: "pg-boss", Store: "Postgres",
			Settings: "batchSize 1,000, localConcurrency %s, " +
				"burstWhenBatchFull, pollingIntervalSeconds 0.5",
			Source:   "https://pgboss.io/api/workers",
			Insert:   "insert, 10,000 a call",
			History:  "row in pgboss.job, 7 days",
			Variants: []int{1, 2, 4},
		},
		emptySQL: `TRUNCATE pgboss.job`,
		ledger: ledger{
			countSQL: `SELECT $1::bigint - count(*) FROM pgboss.job
				WHERE name = 'bench' AND state = 'completed'`,
		},
	}
}
