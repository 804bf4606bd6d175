// graphile-worker for the comparison: ../child.go has the protocol.
// Arguments: the database's URL, a variant that is not used.

import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { Logger, makeWorkerUtils, run } from "graphile-worker";

const manifest = new URL("node_modules/graphile-worker/package.json", import.meta.url);
const { version } = JSON.parse(readFileSync(manifest, "utf8"));
const preset = {
  worker: {
    connectionString: process.argv[2],
    concurrentJobs: 24,
    maxPoolSize: 25,
    localQueue: { size: 500 },
    completeJobBatchDelay: 0,
    failJobBatchDelay: 0,
    // A line for each job would be most of the work.
    logger: new Logger(() => (level, message) => {
      if (level === "error") console.error(message);
    }),
  },
};

let ran = 0;
const taskList = {
  bench: async () => {
    ran++;
  },
};

async function insert(utils, jobs) {
  const perCall = 10_000;
  for (let from = 0; from < jobs; from += perCall) {
    const length = Math.min(perCall, jobs - from);
    const specs = Array.from({ length }, (_, i) => ({
      identifier: "bench",
      payload: { n: from + i },
    }));
    await utils.addJobs(specs);
  }
}

const utils = await makeWorkerUtils({ preset });
await utils.migrate();
console.log(`ready ${version}`);

let runner, reporter;
for await (const line of createInterface({ input: process.stdin })) {
  const [what, n] = line.split(" ");
  if (what === "insert") {
    await insert(utils, Number(n));
    console.log(`inserted ${n}`);
  } else if (what === "work") {
    let told = 0;
    reporter = setInterval(() => {
      if (ran !== told) console.log(`ran ${(told = ran)}`);
    }, 5);
    runner = await run({ preset, taskList, noHandleSignals: true });
    console.log("working");
  } else if (what === "stop") {
    break;
  }
}
clearInterval(reporter);
await runner?.stop();
await utils.release();
console.log("stopped");
process.exit();
