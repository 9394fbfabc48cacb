/** Commits units for ever to the database named as argument, printing one line per acknowledged event id. */
import { event, key, NOW_MS, open } from "./fixtures.ts";

const { store } = await open(Deno.args[0]!);
const encoder = new TextEncoder();
const times = { firstEnteredAt: NOW_MS, enteredAt: NOW_MS + 1, deadlineAt: NOW_MS + 2 };
const waiting = { source: "direct", ...times } as const;

async function submit(worker: number): Promise<void> {
  for (let n = 0;; n++) {
    const identifier = `${worker}-${n}`;
    const note = event({ content: identifier });
    const announcement = event({ kind: 30617, tags: [["d", identifier]] });
    const state = event({ kind: 30618, tags: [["d", identifier]] });
    const pullRequest = event({ kind: 1618, tags: [["c", "0"], ["x", identifier]] });
    const repository = { owner: key(1), identifier };
    await store.commit({
      insertEvents: [{ event: note }],
      putAnnouncements: [{ event: announcement, owner: key(1), identifier, phase: "active", ...waiting }],
      putStates: [{ event: state, author: key(1), identifier, ...waiting }],
      putPullRequests: [{ event: pullRequest, commit: "0", targets: [repository], ...waiting }],
      putPlaceholders: [{ id: note.id, commit: "0", repositories: [repository], ...times }],
      putExpired: [{ id: note.id, at: NOW_MS, until: Number.MAX_SAFE_INTEGER }],
      putDirty: [{ owner: key(1), identifier, since: NOW_MS }],
    });
    Deno.stdout.writeSync(encoder.encode(`${note.id} ${identifier}\n`));
  }
}

await Promise.all([0, 1, 2, 3].map(submit));
