// A caller's day through the generated TypeScript client: push, watch, list the failures, retry. Exits 1 where anything differs.
import assert from "node:assert/strict";
import { createClient } from "./generated/typescript/client/index.js";
import { listDeliveries, push, retryJob, watchJob } from "./generated/typescript/sdk.gen.js";
import type { JobView } from "./generated/typescript/types.gen.js";

const story = JSON.parse(process.env["STORY"] ?? "") as { url: string; token: string; project_id: string; lead_ids: string[] };
const client = createClient({ baseUrl: story.url, auth: story.token });

async function watched(jobId: string): Promise<JobView> {
  const { stream } = await watchJob({ client, path: { job_id: jobId } });
  let last: JobView | undefined;
  for await (const job of stream) {
    last = job as JobView;
    if (["completed", "failed", "cancelled"].includes(last.status)) break;
  }
  assert(last, "the stream sent no job");
  return last;
}

const pushed = await push({ client, body: { lead_ids: story.lead_ids, project_id: story.project_id } });
assert(pushed.data && "job_id" in pushed.data, JSON.stringify(pushed.error));
assert.equal(pushed.response?.headers.get("location"), `/api/clay/jobs/${pushed.data.job_id}`);
const first = await watched(pushed.data.job_id);
assert.equal(first.failed_count, story.lead_ids.length);

const failures = await listDeliveries({ client, path: { job_id: first.id }, query: { status: "failed" } });
assert(failures.data && typeof failures.data !== "string", JSON.stringify(failures.error));
assert.deepEqual(new Set(failures.data.leads.map((each) => each.cause)), new Set(["rejected"]));

const retried = await retryJob({ client, path: { job_id: first.id } });
assert(retried.data, JSON.stringify(retried.error));
const second = await watched(retried.data.job_id);
assert.equal(second.success_count, story.lead_ids.length);
assert.equal(second.retry_of, first.id);

const refused = await push({ client, body: { lead_ids: [] } });
assert.equal(refused.error?.code, "invalid_request");
