import { type Filter, type NostrEvent, parseFilter } from "../lib/nostr/mod.ts";
import type { Store } from "../lib/store/mod.ts";
import { insertAll, openBenchStore } from "./event_rows.ts";
import { secondsOf } from "./measure.ts";
import type { Bench, Row } from "./row.ts";

const PAGE = 500;
const AUTHORS = 200;
const FIRST_SECOND = 1_700_000_000;
const COORDINATE = `30617:${key(1)}:bench`;

/** Shapes that page through everything or much of it; each deep page should cost what the first one does. */
const SHAPES: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  "kind": { kinds: [1111] },
  "3 kinds and #A": { kinds: [1111, 1621, 1622], "#A": [COORDINATE] },
  "60 authors": { authors: Array.from({ length: 60 }, (_, n) => key(n)) },
  "500 values of #E": { "#E": Array.from({ length: 500 }, (_, n) => key(n)) },
};

/** A page of stored events by `until`, at the end of a long history. */
export const pagingRow: Row = {
  name: "paging",
  async measure(bench) {
    const sizes = bench.quick ? [1_000, 10_000] as const : [10_000, 100_000] as const;
    const [small, large] = [await pagesOf(bench, sizes[0]), await pagesOf(bench, sizes[1])];
    const names = Object.keys(SHAPES);
    const shown = names.map((name) =>
      `${name} ${large.first.get(name)!.toFixed(1)} and ${large.last.get(name)!.toFixed(1)}`
    );
    const all = (times: ReadonlyMap<string, number>) => names.map((name) => times.get(name)!);
    const [few, many] = sizes.map((size) => size.toLocaleString("en"));
    return {
      row: `page of ${PAGE} after nine tenths of ${many} events`,
      unit: "ms",
      better: "lower",
      how: `store alone; first and deep page in ms by filter: ${shown.join(", ")}`,
      ours: all(large.last),
      beside: [
        { name: "the first page", samples: all(large.first) },
        { name: `after nine tenths of ${few} events`, samples: all(small.last) },
      ],
    };
  },
};

async function pagesOf(bench: Bench, count: number) {
  const store = await openBenchStore(bench, `paging-${count}`);
  try {
    await insertAll(store, Array.from({ length: count }, (_, n) => comment(n)));
    const first = new Map<string, number>();
    const last = new Map<string, number>();
    for (const [name, shape] of Object.entries(SHAPES)) {
      first.set(name, await pageTime(store, shape, FIRST_SECOND + count));
      last.set(name, await pageTime(store, shape, FIRST_SECOND + count / 10));
    }
    return { first, last };
  } finally {
    await store.close();
  }
}

/** Milliseconds of one page, the mean of some. */
async function pageTime(
  store: Store,
  shape: Readonly<Record<string, unknown>>,
  until: number,
): Promise<number> {
  const filter = parseFilter({ ...shape, until, limit: PAGE }) as Filter;
  await store.query([filter]);
  const runs = 10;
  const seconds = await secondsOf(async () => {
    for (let run = 0; run < runs; run++) await store.query([filter]);
  });
  return 1000 * seconds / runs;
}

/** An unsigned comment; the store verifies nothing. */
function comment(n: number): NostrEvent {
  return {
    id: key(n),
    pubkey: key(n % AUTHORS),
    created_at: FIRST_SECOND + n,
    kind: n % 100 === 0 ? 1621 : 1111,
    tags: [["A", COORDINATE], ["E", key(n % 1_000)], ["p", key(n % AUTHORS)]],
    content: `comment ${n}: ${"text ".repeat(60)}`,
    sig: "0".repeat(128),
  };
}

function key(n: number): string {
  return n.toString(16).padStart(64, "0");
}
