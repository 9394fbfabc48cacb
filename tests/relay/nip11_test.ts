import assert from "node:assert/strict";
import { relayInformation, type RelayInformationInput, wantsRelayInformation } from "../../lib/relay/mod.ts";

const OWNER = "1".repeat(64);
const RELAY = "2".repeat(64);

function input(changes: Partial<RelayInformationInput> = {}): RelayInformationInput {
  return {
    name: "git.example.org grasp relay",
    description: "A relay",
    ownerPubkey: undefined,
    relayPubkey: RELAY,
    software: "https://example.org/software",
    version: "0.1.0",
    icon: "https://git.example.org/icon.png",
    supportedNips: [34, 1, 45, 11, 40, 1],
    sync: false,
    grasp06: false,
    archive: "none",
    archiveReadOnly: false,
    repositoryWhitelist: false,
    limits: {
      maxMessageBytes: 16_777_216,
      maxSubscriptions: 500,
      maxFilterLimit: 5_000,
      defaultFilterLimit: 500,
      maxSubidLength: 250,
      maxEventFutureSecs: 1_800,
    },
    ...changes,
  };
}

Deno.test("H-5 the Accept header selects the document by media range and quality", () => {
  const cases: [string | null, string, boolean][] = [
    ["application/nostr+json", "/", true],
    ["Application/Nostr+JSON; q=0.9, */*;q=0.1", "/", true],
    ["application/nostr+json;q=0, text/html", "/", false],
    ["application/nostr+json ; charset=utf-8 ; Q=0.5", "/any", true],
    ["application/nostr+json; q=high", "/", false],
    ["*/*", "/", false],
    ["application/*", "/", false],
    ["text/html", "/", false],
    ["application/json", "/", true],
    ["application/json", "/any", false],
    ["application/json, text/html", "/", false],
    ["application/json, text/html;q=0", "/", true],
    ["xapplication/nostr+json", "/", false],
    ["", "/", false],
    [null, "/", false],
  ];
  for (const [accept, path, expected] of cases) {
    assert.equal(wantsRelayInformation(accept, path), expected, `${accept} at ${path}`);
  }
});

Deno.test("H-6 the document has the fields clients expect, in order, and no null", () => {
  const full = relayInformation(input({
    contact: "mailto:admin@example.org",
    curation: "by hand",
    postingPolicy: "https://example.org/posting",
    privacyPolicy: "https://example.org/privacy",
    termsOfService: "https://example.org/terms",
  }));
  assert.deepEqual(Object.keys(full), [
    "name",
    "description",
    "pubkey",
    "self",
    "contact",
    "supported_nips",
    "software",
    "version",
    "icon",
    "supported_grasps",
    "repo_acceptance_criteria",
    "curation",
    "limitation",
    "posting_policy",
    "privacy_policy",
    "terms_of_service",
  ]);
  const small = relayInformation(input());
  assert.deepEqual(small.supported_nips, [1, 11, 34, 40, 45]);
  for (const key of ["contact", "curation", "posting_policy"]) assert.ok(!(key in small), key);
  assert.ok(Object.values(full).every((value) => value !== null && value !== undefined));
});

Deno.test("H-7 supported_grasps lists GRASP-01 and what is switched on, ascending", () => {
  const grasps = (changes: Partial<RelayInformationInput>) =>
    relayInformation(input(changes)).supported_grasps;
  assert.deepEqual(grasps({}), ["GRASP-01"]);
  assert.deepEqual(grasps({ sync: true }), ["GRASP-01", "GRASP-02"]);
  assert.deepEqual(grasps({ sync: true, archive: "services", grasp06: true }), [
    "GRASP-01",
    "GRASP-02",
    "GRASP-05",
    "GRASP-06",
  ]);
});

Deno.test("H-8 repo_acceptance_criteria states the real policy", () => {
  const criteria = (changes: Partial<RelayInformationInput>) =>
    relayInformation(input(changes)).repo_acceptance_criteria;
  assert.equal(criteria({}), "None");
  assert.equal(
    criteria({ repositoryWhitelist: true }),
    "Repository must list this service and be on its whitelist",
  );
  assert.equal(
    criteria({ archive: "all" }),
    "Repository must list this service, or be selected for archiving",
  );
  assert.equal(
    criteria({ archive: "all", archiveReadOnly: true }),
    "Not accepting repositories; read-only archive",
  );
  assert.equal(criteria({ repoAcceptanceCriteria: "Ask me" }), "Ask me");
});

Deno.test("H-9 curation follows the table, and is absent when nothing is curated", () => {
  const rows: [Partial<RelayInformationInput>, string | undefined][] = [
    [{ archive: "all", archiveReadOnly: true }, "Read-only sync of all repositories found on network"],
    [
      { archive: "whitelist", archiveReadOnly: true },
      "Read-only sync of whitelisted repositories and maintainers",
    ],
    [
      { archive: "services", archiveReadOnly: true },
      "Read-only sync of repositories from specified GRASP servers",
    ],
    [
      { archive: "whitelist", repositoryWhitelist: true },
      "Accepts whitelisted repositories (with or without service listing) and whitelisted repositories that list this service",
    ],
    [
      { repositoryWhitelist: true },
      "Accepts only whitelisted repositories and maintainers that list this service",
    ],
    [{ archive: "all" }, undefined],
    [{}, undefined],
  ];
  for (const [changes, expected] of rows) {
    const document = relayInformation(input(changes));
    assert.equal(document.curation, expected);
    assert.equal("curation" in document, expected !== undefined);
  }
  assert.equal(relayInformation(input({ curation: "by hand" })).curation, "by hand");
});

Deno.test("H-10 nothing but the named settings reaches the document", () => {
  const withLists = { ...input(), eventBlacklist: ["secret"], repositoryBlacklist: ["secret"] };
  assert.equal(JSON.stringify(relayInformation(withLists)), JSON.stringify(relayInformation(input())));
});

Deno.test("H-11 pubkey is the owner's when set, self is always the relay's", () => {
  const own = relayInformation(input());
  assert.deepEqual([own.pubkey, own.self], [RELAY, RELAY]);
  const owned = relayInformation(input({ ownerPubkey: OWNER }));
  assert.deepEqual([owned.pubkey, owned.self], [OWNER, RELAY]);
});

Deno.test("H-13 limitation repeats the configured limits", () => {
  assert.deepEqual(relayInformation(input()).limitation, {
    max_message_length: 16_777_216,
    max_subscriptions: 500,
    max_limit: 5_000,
    default_limit: 500,
    max_subid_length: 250,
    created_at_upper_limit: 1_800,
    min_pow_difficulty: 0,
    auth_required: false,
    payment_required: false,
    restricted_writes: true,
  });
});
