import assert from "node:assert/strict";
import { describe, fuzz } from "./fuzz.ts";
import { matches } from "./oracle.ts";
import { event } from "../store/fixtures.ts";

const FILTERS = 20_000;

Deno.test("R-7 R-15 20,000 random filters: stored, counted and live answers equal a plain array's", async () => {
  const seed = Number(Deno.env.get("FUZZ_SEED") ?? 20_261_101);
  const difference = await fuzz({ seed, filters: FILTERS });
  assert.equal(difference && describe(difference), undefined);
});

Deno.test("the oracle reads filters as NIP-01 writes them", () => {
  const note = event({ created_at: 10, kind: 1, tags: [["e", "x"], ["E"]] });
  const yes = [{}, { since: 10, until: 10, limit: 0 }, { "#e": ["y", "x"] }, { ids: [note.id], kinds: [1] }];
  const no = [{ since: 11 }, { until: 9 }, { "#e": [] }, { "#E": ["x"] }, { kinds: [] }, { "#e": ["y"] }];
  for (const filter of yes) assert.ok(matches(filter, note), JSON.stringify(filter));
  for (const filter of no) assert.ok(!matches(filter, note), JSON.stringify(filter));
});
