import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { repositoryFacts } from "../../lib/http/mod.ts";
import type { NostrEvent } from "../../lib/nostr/mod.ts";
import type { IdentifierRows } from "../../lib/store/mod.ts";
import { announce, declare, newSigner } from "../support/keys.ts";

const owner = newSigner();
const helper = newSigner();
const stranger = newSigner();
const domain = "git.example.org";
const oid = "1".repeat(40);

function rows(parts: Partial<IdentifierRows>): IdentifierRows {
  return {
    announcements: [],
    states: [],
    waitingAnnouncements: [],
    waitingStates: [],
    waitingPullRequests: [],
    placeholders: [],
    ...parts,
  };
}

function waiting(event: NostrEvent): IdentifierRows["waitingAnnouncements"][number] {
  return {
    event,
    owner: event.pubkey,
    identifier: "x",
    phase: "active",
    source: "direct",
    firstEnteredAt: 0,
    enteredAt: 0,
    deadlineAt: 1,
  };
}

const announcement = announce(owner, "x", {
  domain,
  maintainers: [helper.pubkey],
  created_at: 100,
  extraTags: [["description", "What it is"]],
});

Deno.test("H-18 facts come from the served announcement and the newest state of a maintainer", () => {
  const refs = { "refs/heads/main": oid, "refs/heads/dev": oid, "refs/tags/v1": oid };
  const facts = repositoryFacts(
    owner.pubkey,
    "x",
    rows({
      announcements: [{ event: announcement, hosted: true }],
      states: [
        declare(owner, "x", { "refs/heads/old": oid }, { created_at: 100 }),
        declare(helper, "x", refs, { head: "refs/heads/main", created_at: 200 }),
        declare(stranger, "x", { "refs/heads/evil": oid }, { created_at: 300 }),
      ],
    }),
  );
  deepStrictEqual(facts, {
    state: "active",
    name: "x",
    description: "What it is",
    maintainers: [owner.pubkey, helper.pubkey],
    defaultBranch: "main",
    branches: 2,
    tags: 1,
  });
});

Deno.test("H-20 nothing of what waits is told, neither a first announcement nor a newer one", () => {
  const newer = announce(owner, "x", { domain, maintainers: [stranger.pubkey], created_at: 400 });
  deepStrictEqual(repositoryFacts(owner.pubkey, "x", rows({ waitingAnnouncements: [waiting(newer)] })), {
    state: "purgatory",
  });
  const facts = repositoryFacts(
    owner.pubkey,
    "x",
    rows({
      announcements: [{ event: announcement, hosted: true }],
      waitingAnnouncements: [waiting(newer)],
    }),
  );
  deepStrictEqual(facts?.state === "active" && facts.maintainers, [owner.pubkey, helper.pubkey]);
  strictEqual(facts?.state === "active" && facts.branches, undefined);
  strictEqual(repositoryFacts(stranger.pubkey, "x", rows({})), undefined);
});
