import assert from "node:assert/strict";
import { encodeNpub, type NostrEvent, parseContributionUrl, parsePullRequest } from "../../lib/nostr/mod.ts";
import {
  type ContributionKnowledge,
  contributionRefProblems,
  decidePullRequest,
  judgeContribution,
  LIMIT,
  type PullRequestCase,
} from "../../lib/policy/mod.ts";
import { contributionIdentifiers } from "../../lib/nostr/mod.ts";
import { DOMAIN, event, KEYS, NOW } from "./support.ts";

const COMMIT = "c".repeat(40);
const OTHER = "d".repeat(40);
const ZERO = "0".repeat(40);
const NPUB = encodeNpub(KEYS.bob);
const ENDPOINT = `https://${DOMAIN}/prs/${NPUB}/repo.git`;

const proposal = (more: {
  kind?: number;
  clone?: readonly (readonly string[])[];
  a?: readonly string[];
  commit?: string;
} = {}): NostrEvent =>
  event("bob", more.kind ?? 1618, [
    ...(more.a ?? [`30617:${KEYS.alice}:repo`]).map((value) => ["a", value]),
    ["c", more.commit ?? COMMIT],
    ...(more.clone ?? [[ENDPOINT]]).map((values) => ["clone", ...values]),
  ]);

function named(made: NostrEvent): readonly string[] {
  const parsed = parsePullRequest(made);
  assert.ok(parsed.ok);
  return contributionIdentifiers(parsed.pullRequest, DOMAIN);
}

Deno.test("X-15 our endpoint is recognised in every spelling of scheme, host, slashes and identifier", () => {
  for (
    const clone of [
      [[ENDPOINT]],
      [[`HTTPS://GIT.Example.COM/prs/${NPUB}/repo.git`]],
      [[`http://${DOMAIN}:80/prs/${NPUB}/repo.git`]],
      [[`https://${DOMAIN}:443/prs/${NPUB}/repo.git`]],
      [[`${ENDPOINT}///`]],
      [[`https://${DOMAIN}/prs/${NPUB}/%72ep%6f.git`]],
      [["https://elsewhere.example/x.git", ENDPOINT]],
      [["https://elsewhere.example/x.git"], [ENDPOINT]],
    ]
  ) {
    assert.deepEqual(named(proposal({ clone })), ["repo"], JSON.stringify(clone));
  }
  assert.deepEqual(named(proposal({ a: ["nonsense", "30617:zz", `30617:${KEYS.alice}:repo`] })), ["repo"]);
  const colon = `https://${DOMAIN}/prs/${NPUB}/a%3Ab.git`;
  assert.deepEqual(named(proposal({ a: [`30617:${KEYS.alice}:a:b`], clone: [[colon]] })), ["a:b"]);
});

Deno.test("X-14 R-72 other hosts, keys, identifiers, paths, queries and schemes do not name our endpoint", () => {
  for (
    const url of [
      `https://elsewhere.example/prs/${NPUB}/repo.git`,
      `https://${DOMAIN}.elsewhere.example/prs/${NPUB}/repo.git`,
      `https://${DOMAIN}:8443/prs/${NPUB}/repo.git`,
      `https://user@${DOMAIN}/prs/${NPUB}/repo.git`,
      `https://${DOMAIN}@elsewhere.example/prs/${NPUB}/repo.git`,
      `https://${DOMAIN}/prs/${encodeNpub(KEYS.carol)}/repo.git`,
      `https://${DOMAIN}/prs/${KEYS.bob}/repo.git`,
      `https://${DOMAIN}/prs/${NPUB}/other.git`,
      `https://${DOMAIN}/prs/${NPUB}/repo`,
      `https://${DOMAIN}/prs/${NPUB}/.git`,
      `https://${DOMAIN}/prs/${NPUB}/repo.git/info/refs`,
      `https://${DOMAIN}/prs/${NPUB}/..%2frepo.git`,
      `https://${DOMAIN}/x/../prs/${NPUB}/repo.git`,
      `https://${DOMAIN}//prs/${NPUB}/repo.git`,
      `https://${DOMAIN}/prs/${NPUB}/repo.git?x=1`,
      `https://${DOMAIN}/prs/${NPUB}/repo.git#x`,
      `https://${DOMAIN}/prs/${NPUB}/%zz.git`,
      `https://${DOMAIN}/PRS/${NPUB}/repo.git`,
      `https://${DOMAIN}/${NPUB}/repo.git`,
      `ssh://${DOMAIN}/prs/${NPUB}/repo.git`,
      `${DOMAIN}/prs/${NPUB}/repo.git`,
      "",
    ]
  ) {
    assert.deepEqual(named(proposal({ clone: [[url]] })), [], url);
  }
  assert.deepEqual(named(proposal({ a: [] })), []);
  assert.deepEqual(named(proposal({ a: [`30617:${KEYS.alice}:`] })), []);
  assert.deepEqual(named(proposal({ a: [`30618:${KEYS.alice}:repo`] })), []);
  assert.equal(parseContributionUrl(`https://${DOMAIN}/prs/${NPUB}/a%5Cb.git`, DOMAIN), undefined);
  assert.equal(parseContributionUrl(`https://${DOMAIN}/prs/${NPUB}/a%00b.git`, DOMAIN), undefined);
});

const push = (ref: string, newOid = COMMIT) => ({ ref, oldOid: ZERO, newOid });
const problemsOf = (...refs: string[]) => [...contributionRefProblems(refs.map((ref) => push(ref)), 16)];

Deno.test("X-8 X-9 X-10 X-11 only creations of refs/nostr/<64 lower-case hex digits> pass, few at a time", () => {
  const id = "0123456789abcdef".repeat(4);
  const only = "only pushes to refs/nostr/<event-id> are accepted";
  assert.deepEqual(problemsOf(`refs/nostr/${id}`), []);
  for (
    const [ref, detail] of [
      ["refs/heads/main", "ref refs/heads/main is outside refs/nostr/"],
      ["refs/nostrum/x", "ref refs/nostrum/x is outside refs/nostr/"],
      [
        "refs/nostr/not-a-valid-event-id",
        "event-id segment of refs/nostr/not-a-valid-event-id is 20 chars, expected 64",
      ],
      [
        `refs/nostr/${id.slice(1)}`,
        `event-id segment of refs/nostr/${id.slice(1)} is 63 chars, expected 64`,
      ],
      [
        `refs/nostr/${id.toUpperCase()}`,
        `event-id segment of refs/nostr/${id.toUpperCase()} is not lowercase hex`,
      ],
    ] as const
  ) {
    assert.deepEqual(problemsOf(`refs/nostr/${id}`, ref), [[ref, `${only} (${detail})`]]);
  }
  const gone = push(`refs/nostr/${id}`, ZERO);
  assert.match(contributionRefProblems([gone], 16).get(gone.ref)!, /deleting refs\/nostr\/ refs/);
  const many = Array.from({ length: 17 }, (_, n) => push(`refs/nostr/${n.toString(16).padStart(64, "0")}`));
  assert.equal(contributionRefProblems(many, 16).size, 17);
  assert.equal(contributionRefProblems(many, 17).size, 0);
});

Deno.test("X-19 X-21 X-22 P-51 a known event, or another claim, decides about a push and says why", () => {
  const place = { repository: { owner: KEYS.bob, identifier: "repo" }, domain: DOMAIN };
  const judge = (known: ContributionKnowledge, id = "f".repeat(64), where = place) =>
    judgeContribution(push(`refs/nostr/${id}`), known, where);
  const waits = (made: NostrEvent, where = place) => judge({ type: "waiting", event: made }, made.id, where);
  const good = proposal();
  assert.equal(judge({ type: "unknown" }), undefined);
  assert.equal(judge({ type: "placeholder", scope: undefined }), undefined);
  assert.equal(judge({ type: "placeholder", scope: place.repository }), undefined);
  assert.equal(waits(good), undefined);
  assert.equal(judge({ type: "served", event: good }, good.id), undefined);
  assert.equal(waits(proposal({ kind: 1619 })), undefined);
  assert.equal(waits(proposal({ commit: COMMIT.toUpperCase() })), undefined);
  assert.match(
    judge({ type: "placeholder", scope: { owner: KEYS.carol, identifier: "repo" } })!,
    /pre-registered under a different \/prs\/ scope \(c{64}\/repo\)/,
  );
  assert.match(judge({ type: "otherKind" })!, /is not a pull request/);
  assert.match(judge({ type: "served", event: proposal({ kind: 1621 }) })!, /is not a pull request/);
  assert.match(waits(proposal({ commit: OTHER }))!, / \(purgatory\) specifies commit d{40}, but push/);
  const bare = event("bob", 1618, [["a", `30617:${KEYS.alice}:repo`]]);
  assert.match(judge({ type: "served", event: bare }, bare.id)!, /has no `c` tag$/);
  const carols = { ...place, repository: { ...place.repository, owner: KEYS.carol } };
  assert.match(waits(good, carols)!, /is signed by b{64} which does not match \/prs\/ submitter c{64}/);
  const other = { ...place, repository: { ...place.repository, identifier: "other" } };
  assert.match(waits(good, other)!, /a-tag identifier repo which does not match \/prs\/ identifier other/);
  assert.match(waits(proposal({ a: [] }))!, /has no parsable a-tag identifier/);
  assert.match(waits(proposal({ clone: [] }))!, /has no `clone` tag naming this relay's \/prs\//);
});

function decide(more: Partial<PullRequestCase>, made = proposal()) {
  const parsed = parsePullRequest(made);
  assert.ok(parsed.ok);
  return decidePullRequest({
    pullRequest: parsed.pullRequest,
    source: "direct",
    related: false,
    waiting: undefined,
    placeholder: undefined,
    contributions: named(made),
    offered: undefined,
    repositories: [],
    complete: false,
    expired: false,
    waitingForTarget: 0,
    waitingInTotal: 0,
    now: NOW,
    ...more,
  });
}

Deno.test("R-72 X-13 unrelated, it waits exactly when it names our endpoint, and leaves room for related ones", () => {
  assert.equal(decide({}).verdict.ok, true);
  assert.equal(decide({ contributions: [] }).verdict.ok, false);
  assert.equal(decide({ waitingInTotal: LIMIT.waitingContributions }).verdict.ok, false);
  assert.equal(decide({ waitingInTotal: LIMIT.waitingContributions, related: true }).verdict.ok, true);
  assert.equal(decide({ source: "sync", expired: true }).verdict.ok, false);
  assert.equal(decide({ expired: true }).verdict.ok, true);
});

Deno.test("P-49 X-20 X-21 a claim below /prs/ stands only for this signer, place, commit and ref", () => {
  const times = { firstEnteredAt: NOW, enteredAt: NOW, deadlineAt: NOW };
  const scope = { owner: KEYS.bob, identifier: "repo" };
  const made = proposal();
  const claim = { id: made.id, commit: COMMIT, scope, repositories: [], ...times };
  const clears = (more: Partial<PullRequestCase>) =>
    decide({ placeholder: claim, offered: COMMIT, complete: true, ...more }, made).effects
      .some(({ type }) => type === "clearContribution");
  assert.equal(clears({}), false);
  assert.equal(clears({ offered: undefined }), true);
  assert.equal(clears({ contributions: [], related: true }), true);
  assert.equal(clears({ placeholder: { ...claim, commit: OTHER } }), true);
  assert.equal(clears({ placeholder: { ...claim, scope: { ...scope, owner: KEYS.carol } } }), true);
  assert.equal(clears({ placeholder: { ...claim, scope: { ...scope, identifier: "other" } } }), true);
});
