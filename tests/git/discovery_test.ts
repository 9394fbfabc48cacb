import assert from "node:assert/strict";
import { encodePkt, joinBytes } from "../../lib/git/pkt_line.ts";
import { git, newWorkTree, tryGit } from "../support/git_client.ts";
import { RefView } from "../../lib/git/ref_view.ts";
import {
  ADVERTISEMENTS,
  ALL_REFS,
  answered,
  lsRefs,
  type LsRefsQuestion,
  type Question,
  said,
  warm,
} from "./discovery.ts";
import { dice, fillRandomly, writeMaterial } from "./random_repository.ts";
import { type Service, withService } from "./service.ts";

const ARGUMENTS = ["peel", "symrefs", "unborn"];
const PREFIXES = [
  "",
  "HEAD",
  "HE",
  "HEADS",
  "refs/",
  "refs/heads/",
  "refs/heads/feature",
  "refs/heads/feature/",
  "refs/heads/a",
  "refs/heads/*",
  "refs/tags/",
  "refs/tags/ü",
  "refs/nostr/",
  "refs/purgatory/",
  "refs/z",
  "main",
];

/** Compares our answer with git's. git before 2.41 says nothing of its abilities where there is no ref. */
async function assertSame(
  service: Service,
  question: Question,
  what: string,
  identifier = "x",
): Promise<void> {
  const expected = await said(service, question, service.repositories.path(service.ref(identifier)));
  const actual = await answered(service, question, identifier);
  const isBare = /^(000eversion 1\n)?0000$/.test(expected) && "service" in question;
  if (isBare) {
    assert.match(actual, /^(000eversion 1\n)?[0-9a-f]{4}0{40} capabilities\^\{\}\0[^\n]*\n0000$/, what);
  } else assert.equal(actual, expected, what);
}

Deno.test("G-14 G-69 discovery of random repositories is byte for byte what git says, without git", () =>
  withService(async (service) => {
    for (let seed = 0; seed < 16; seed++) {
      const identifier = `random-${seed}`;
      await service.create(identifier);
      const path = service.repositories.path(service.ref(identifier));
      const roll = dice(seed);
      await fillRandomly(service.git, path, await writeMaterial(service.git, path), roll);
      await warm(service, identifier);
      const questions: Question[] = [...ADVERTISEMENTS, ALL_REFS, lsRefs()];
      for (let n = 0; n < 6; n++) {
        questions.push(lsRefs(
          ...ARGUMENTS.filter(() => roll(3) > 0),
          ...Array.from({ length: roll(4) }, () => `ref-prefix ${PREFIXES[roll(PREFIXES.length)]}`),
        ));
      }
      for (const question of questions) {
        const before = service.started();
        await answered(service, question, identifier);
        assert.equal(service.started(), before);
        await assertSame(
          service,
          question,
          `seed ${seed}, question ${questions.indexOf(question)}`,
          identifier,
        );
      }
    }
  }, { virtualTime: true }));

/** One pkt-line per text; `0000` to `0002` stand for themselves. */
function request(...lines: readonly string[]): LsRefsQuestion {
  const special = (line: string) => /^000[012]$/.test(line);
  return {
    lsRefs: joinBytes(
      lines.map((line) => special(line) ? new TextEncoder().encode(line) : encodePkt(line)),
    ),
  };
}

const AGENT = "agent=x\n";
const COMMAND = "command=ls-refs\n";
const ODD_REQUESTS: readonly (readonly [string, Question])[] = [
  ["no arguments and no separator", request(COMMAND, "0000")],
  ["arguments without line ends", request(COMMAND, "0001", "peel", "symrefs", "ref-prefix HEAD", "0000")],
  ["the command last", request(AGENT, COMMAND, "0001", "peel\n", "0000")],
  ["the command twice", request(COMMAND, COMMAND, "0001", "0000")],
  ["two commands", request(COMMAND, "command=fetch\n", "0001", "0000")],
  ["no command", request(AGENT, "0001", "peel\n", "0000")],
  ["another command", request("command=object-info\n", "0001", "size\n", "0000")],
  ["an unknown command", request("command=ls-files\n", "0001", "0000")],
  ["an unknown argument", request(COMMAND, "0001", "peal\n", "0000")],
  ["an argument that only begins well", request(COMMAND, "0001", "peel \n", "0000")],
  ["a prefix without a space", request(COMMAND, "0001", "ref-prefix\n", "0000")],
  ["an empty prefix", request(COMMAND, "0001", "ref-prefix \n", "0000")],
  ["a prefix of spaces", request(COMMAND, "0001", "ref-prefix   refs/\n", "0000")],
  ["two line ends", request(COMMAND, "0001", "ref-prefix HEAD\n\n", "0000")],
  ["a NUL in a prefix", request(COMMAND, "0001", "ref-prefix refs/heads/\0x\n", "0000")],
  ["a NUL behind an option", request(COMMAND, "0001", "peel\0\n", "0000")],
  ["an empty line", request(COMMAND, "0001", "", "peel\n", "0000")],
  ["another object format", request(COMMAND, "object-format=sha256", "0001", "0000")],
  ["an unknown capability", request(COMMAND, "colour=red", "0001", "0000")],
  ["a server option", request(COMMAND, "server-option=x", "0001", "peel\n", "0000")],
  ["two separators", request(COMMAND, "0001", "0001", "peel\n", "0000")],
  ["a response end", request(COMMAND, "0001", "0002", "0000")],
  ["something behind the end", request(COMMAND, "0001", "peel\n", "0000", "0000", COMMAND)],
  ["half a line behind the end", {
    lsRefs: joinBytes([request(COMMAND, "0000").lsRefs, new Uint8Array([0x30])]),
  }],
  ["no end", request(COMMAND, "0001", "peel\n")],
  ["cut in a line", { lsRefs: request(COMMAND, "0001", "peel\n").lsRefs.slice(0, -2) }],
  ["only the end", request("0000")],
  ["no pkt-line", { lsRefs: new TextEncoder().encode("zzzz") }],
  ["a line too long", { lsRefs: new TextEncoder().encode("ffffcommand=ls-refs\n") }],
  [
    "very many prefixes",
    request(
      COMMAND,
      "0001",
      ...Array.from({ length: 5_000 }, (_, n) => `ref-prefix refs/heads/${n}\n`),
      "0000",
    ),
  ],
];

Deno.test("G-69 odd and malformed ls-refs requests get what git answers, or its refusal as ERR", () =>
  withService(async (service) => {
    await service.create("x");
    const path = service.repositories.path(service.ref("x"));
    await fillRandomly(service.git, path, await writeMaterial(service.git, path), dice(1));
    await warm(service);
    for (const [what, question] of ODD_REQUESTS) {
      const actual = await answered(service, question);
      const expected = await said(service, question, path);
      if (expected === "") assert.match(actual, /^$|^[0-9a-f]{4}ERR [^\n]+\n$/, what);
      else assert.equal(actual, expected, what);
    }
    assert.equal(service.http.load().active, 0);
  }, { virtualTime: true }));

Deno.test("G-69 a body in pieces is one request", () =>
  withService(async (service) => {
    const url = await service.create("x");
    const path = service.repositories.path(service.ref("x"));
    await fillRandomly(service.git, path, await writeMaterial(service.git, path), dice(2));
    await warm(service);
    const question = lsRefs("peel", "symrefs", "ref-prefix refs/heads/");
    const pieces = new ReadableStream<Uint8Array>({
      start(controller) {
        for (const byte of question.lsRefs) controller.enqueue(Uint8Array.of(byte));
        controller.close();
      },
    });
    const before = service.started();
    const response = await fetch(`${url}/git-upload-pack`, {
      method: "POST",
      headers: { "Git-Protocol": "version=1:version=2" },
      body: pieces,
    });
    const answer = await response.text();
    assert.equal(service.started(), before);
    assert.equal(new TextEncoder().encode(answer).length, (await said(service, question, path)).length);
  }, { virtualTime: true }));

Deno.test("G-69 10,000 refs are listed without git and take less than 2 MB", () =>
  withService(async (service) => {
    await service.create("x");
    const path = service.repositories.path(service.ref("x"));
    const { commits, tags } = await writeMaterial(service.git, path);
    const lines = Array.from(
      { length: 10_000 },
      (_, n) =>
        n % 2 === 0
          ? `${commits[n % commits.length]} refs/heads/branch-${n}\n`
          : `${tags[n % tags.length]} refs/tags/v${n}\n`,
    );
    const byName = (a: string, b: string) => a.slice(41) < b.slice(41) ? -1 : 1;
    await Deno.writeTextFile(`${path}/packed-refs`, lines.sort(byName).join(""));
    await warm(service);
    const questions = [...ADVERTISEMENTS, ALL_REFS, lsRefs("peel", "ref-prefix refs/tags/v1")];
    const before = service.started();
    for (const question of questions) await answered(service, question);
    assert.equal(service.started(), before);
    for (const question of questions) {
      await assertSame(service, question, JSON.stringify(questions.indexOf(question)));
    }
    const listing = Uint8Array.from(await said(service, ALL_REFS, path), (char) => char.charCodeAt(0));
    assert.ok(RefView.parse(listing)!.size < 2_000_000);
  }, { virtualTime: true }));

Deno.test("G-69 fetches, listings and pushes of a real client that find nothing to do start no git", () =>
  withService(async (service) => {
    const url = await service.create("x");
    const tree = await newWorkTree(`${service.directory}/tree`);
    await git(tree, "push", "-q", url, "main");
    await git(service.directory, "clone", "-q", "-b", "main", url, "clone");
    await warm(service);
    const before = service.started();
    for (const version of [0, 1, 2]) {
      const option = `protocol.version=${version}`;
      await git(`${service.directory}/clone`, "-c", option, "fetch", "-q", "--prune", "--tags");
      await git(tree, "-c", option, "ls-remote", "--symref", url);
      const { stderr } = await tryGit(tree, "-c", option, "push", url, "main");
      assert.equal(stderr, "Everything up-to-date\n");
    }
    assert.equal(service.started(), before);
  }, { virtualTime: true }));
