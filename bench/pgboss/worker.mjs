// pg-boss for the comparison: ../child.go has the protocol.
// Arguments: the database's URL, how many loops fetch.

import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { PgBoss } from "pg-boss";

const queue = "bench";
const manifest = new URL("node_modules/pg-boss/package.json", import.meta.url);
const { version } = JSON.parse(readFileSync(manifest, "utf8"));
const boss = new PgBoss({ connectionString: process.argv[2] });
boss.on("error", (err) => console.error(err.message));
await boss.start();
await boss.createQueue(queue);
console.log(`ready ${version}`);

async function insert(jobs) {
  const perCall = 10_000;
  for (let from = 0; from < jobs; from += perCall) {
    const length = Math.min(perCall, jobs - from);
    await boss.insert(queue, Array.from({ length }, (_, i) => ({ data: { n: from + i } })));
  }
}

const options = {
  batchSize: 1000,
  localConcurrency: Number(process.argv[3]) || 1,
  burstWhenBatchFull: true,
  pollingIntervalSeconds: 0.5,
};
let ran = 0;
let reporter;
for await (const line of createInterface({ input: process.stdin })) {
  const [what, n] = line.split(" ");
  if (what === "insert") {
    await insert(Number(n));
    console.log(`inserted ${n}`);
  } else if (what === "work") {
    let told = 0;
    reporter = setInterval(() => {
      if (ran !== told) console.log(`ran ${(told = ran)}`);
    }, 5);
    await boss.work(queue, options, async (jobs) => {
      ran += jobs.length;
    });
    console.log("working");
  } else if (what === "stop") {
    break;
  }
}
clearInterval(reporter);
await boss.stop({ graceful: true, timeout: 5000 });
console.log("stopped");
process.exit();
