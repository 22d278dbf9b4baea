// A durable workflow executor in Node.js without packages, to be certified with
//
//     planproof certify --command 'node conformance/kit/examples/executor.mjs'
//
// It keeps each run as one JSON file, calls one step at a time, and writes before each call what it
// is about to do and after it what came of it. It declares C0 to C3: two processes at one run are
// not kept apart, and runs are neither taken in nor handed out.
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";

const LEVELS = ["C0", "C1", "C2", "C3"];
const DEFAULT_TIMEOUT_MS = 30_000;

// The pipe. After each message of the harness one or more go back; all but the last say `more`.

let scratch = "";
let lastId = 0;
const waiting = new Map(); // id -> resolve

const send = (message) => process.stdout.write(JSON.stringify(message) + "\n");

function ask(message, more = false) {
  const id = ++lastId;
  send({ ...message, id, more });
  return { id, reply: new Promise((resolve) => waiting.set(id, resolve)) };
}

function cancel(id) {
  if (waiting.delete(id)) send({ type: "cancel", id, more: true });
}

async function sleep(ms) {
  await ask({ type: "sleep", ms }).reply;
}

async function call(tool, parameters, key, timeoutMs) {
  const made = ask({ type: "call", tool, parameters, idempotency_key: key, timeout_ms: timeoutMs }, true);
  const alarm = ask({ type: "sleep", ms: timeoutMs });
  const first = await Promise.race([made.reply, alarm.reply]);
  const late = first.id === alarm.id;
  cancel(late ? made.id : alarm.id);
  return late ? { success: false, error: `no answer within ${timeoutMs} ms` } : first;
}

// The store.

const path = (executionId) => join(scratch, `${executionId}.json`);

function load(executionId) {
  return existsSync(path(executionId)) ? JSON.parse(readFileSync(path(executionId), "utf8")) : null;
}

function save(run) {
  writeFileSync(path(run.id) + ".new", JSON.stringify(run));
  renameSync(path(run.id) + ".new", path(run.id)); // the whole record or the one before it
}

// The plan.

class Refusal extends Error {}

function check(plan) {
  const allowed = plan.constraints?.allowed_tools;
  if (allowed && plan.steps.some((step) => !allowed.includes(step.tool_name))) {
    throw new Refusal("the plan uses a tool that it may not");
  }
  const done = new Set();
  for (;;) {
    const ready = plan.steps.filter(
      (step) => !done.has(step.id) && step.dependencies.every((id) => done.has(id)),
    );
    if (ready.length === 0) break;
    ready.forEach((step) => done.add(step.id));
  }
  if (done.size < plan.steps.length) throw new Refusal("the steps wait for one another");
}

function resolve(value, run) {
  if (typeof value !== "string" || !value.startsWith("$") || !value.includes(".")) return value;
  const [stepId, ...fields] = value.slice(1).split(".");
  let current = run.steps.find((step) => step.id === stepId)?.output;
  for (const field of fields) {
    if (current === null || typeof current !== "object" || !(field in current)) return value;
    current = current[field];
  }
  return current;
}

async function runStep(run, planned, step) {
  step.parameters ??= Object.fromEntries(
    Object.entries(planned.parameters).map(([name, value]) => [name, resolve(value, run)]),
  );
  const policy = planned.retry_policy ?? { max_attempts: 1, backoff_ms: 0 };
  let reply;
  for (;;) {
    step.attempts += 1;
    step.status = "in_progress";
    save(run);
    reply = await call(
      planned.tool_name, step.parameters, `${run.id}/${step.id}`, planned.timeout_ms ?? DEFAULT_TIMEOUT_MS,
    );
    if (reply.success || step.attempts >= policy.max_attempts) break;
    await sleep(policy.backoff_ms * 2 ** (step.attempts - 1));
  }
  step.status = reply.success ? "completed" : "failed";
  if (reply.success) Object.assign(step, { output: reply.output, undo: reply.compensation });
  else step.error = reply.error;
  save(run);
}

async function rollBack(run) {
  const number = new Map(run.plan.steps.map((step) => [step.id, step.step_number]));
  const left = run.steps.filter((step) => step.undo && !step.undone);
  left.sort((one, other) => number.get(other.id) - number.get(one.id));
  for (const step of left) {
    await call(step.undo.tool, step.undo.parameters, `${run.id}/${step.id}/undo`, DEFAULT_TIMEOUT_MS);
    step.undone = true;
    save(run);
  }
}

async function work(run) {
  while (run.outcome === null) {
    if (run.steps.some((step) => step.status === "failed")) {
      await rollBack(run);
      run.outcome = "failed";
      break;
    }
    const done = new Set(run.steps.filter((s) => s.status === "completed").map((s) => s.id));
    if (done.size === run.steps.length) {
      run.outcome = "completed";
      break;
    }
    const planned = run.plan.steps.find(
      (step) => !done.has(step.id) && step.dependencies.every((id) => done.has(id)),
    );
    if (planned.requires_confirmation) return report(run, "waiting");
    await runStep(run, planned, run.steps.find((step) => step.id === planned.id));
  }
  save(run);
  return report(run, run.outcome);
}

const told = ({ id, status, output, error, attempts }) => ({ id, status, output, error, attempts });
const report = (run, outcome) => ({ type: "result", outcome, steps: run.steps.map(told) });

// The requests.

const requests = {
  hello(message) {
    scratch = message.scratch;
    return { type: "ready", protocol: 1, name: "node example", capabilities: LEVELS };
  },
  start({ execution_id: id, plan }) {
    check(plan);
    let run = load(id);
    if (run !== null && JSON.stringify(run.plan) !== JSON.stringify(plan)) {
      throw new Refusal(`execution ${id} has another plan`);
    }
    if (run === null) {
      const steps = plan.steps.map((step) => ({
        id: step.id, status: "pending", output: null, error: null, attempts: 0,
      }));
      run = { id, plan, steps, outcome: null };
      save(run);
    }
    return work(run);
  },
  resume({ execution_id: id }) {
    const run = load(id);
    if (run === null) throw new Refusal(`no execution ${id}`);
    return work(run);
  },
  state({ execution_id: id }) {
    const run = load(id);
    if (run === null) return { type: "state", outcome: null };
    return { ...report(run, run.outcome ?? "yielded"), type: "state" };
  },
};

async function handle(message) {
  try {
    const request = requests[message.type];
    if (request === undefined) throw new Refusal(`${message.type} is not supported`);
    send(await request(message));
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    send({ type: "threw", name: "Refusal", message: error.message });
  }
}

createInterface({ input: process.stdin }).on("line", (line) => {
  const message = JSON.parse(line);
  if (message.type !== "reply") {
    handle(message);
    return;
  }
  const take = waiting.get(message.id);
  if (take === undefined) {
    send({ type: "wait" }); // the end of something that was cancelled
  } else {
    waiting.delete(message.id);
    take(message);
  }
});
