import assert from "node:assert/strict";
import type { RefViewBounds } from "../../lib/git/ref_views.ts";
import { RefViews } from "../../lib/git/ref_views.ts";
import { ProcessGate } from "../../lib/git/process_gate.ts";
import { ADVERTISEMENTS, age, ALL_REFS, answered, lsRefs, said, warm } from "./discovery.ts";
import { inRepository, type Material, writeMaterial } from "./random_repository.ts";
import { type Service, withService } from "./service.ts";
import { VirtualClock } from "../support/virtual_clock.ts";

interface Changing {
  readonly service: Service;
  readonly path: string;
  readonly material: Material;
  git(...args: string[]): Promise<string>;
}

/** A repository with a packed branch, a loose one and a tag; HEAD points to the first. */
async function withRepository(play: (changing: Changing) => Promise<void>): Promise<void> {
  await withService(async (service) => {
    await service.create("x");
    const path = service.repositories.path(service.ref("x"));
    const material = await writeMaterial(service.git, path);
    const git = (...args: string[]) => inRepository(service.git, path, args);
    await git("update-ref", "refs/heads/master", material.commits[0]!);
    await git("pack-refs", "--all");
    await git("update-ref", "refs/heads/dev", material.commits[1]!);
    await git("update-ref", "refs/tags/v1", material.tags[0]!);
    await play({ service, path, material, git });
  }, { virtualTime: true });
}

type Change = (changing: Changing) => Promise<unknown>;

/** Everything that may change what git says of its refs, whoever does it. */
const CHANGES: Readonly<Record<string, Change>> = {
  "a branch moves": ({ git, material }) => git("update-ref", "refs/heads/dev", material.commits[2]!),
  "a packed branch moves": ({ git, material }) =>
    git("update-ref", "refs/heads/master", material.commits[2]!),
  "a branch is new": ({ git, material }) => git("update-ref", "refs/heads/new", material.commits[2]!),
  "a branch is new in a new folder": ({ git, material }) =>
    git("update-ref", "refs/heads/some/where/deep", material.commits[2]!),
  "a pull request is new": ({ git, material }) =>
    git("update-ref", `refs/nostr/${"a".repeat(64)}`, material.commits[2]!),
  "a loose branch goes": ({ git }) => git("update-ref", "-d", "refs/heads/dev"),
  "a packed branch goes": ({ git }) => git("update-ref", "-d", "refs/heads/master"),
  "refs are packed": ({ git }) => git("pack-refs", "--all"),
  "packed refs are written by hand": ({ path, material }) =>
    Deno.writeTextFile(`${path}/packed-refs`, `${material.commits[2]} refs/heads/master\n`),
  "HEAD moves": ({ git }) => git("symbolic-ref", "HEAD", "refs/heads/dev"),
  "HEAD is written by hand": ({ path }) => Deno.writeTextFile(`${path}/HEAD`, "ref: refs/heads/dev\n"),
  "HEAD is detached": ({ git, material }) => git("update-ref", "--no-deref", "HEAD", material.commits[2]!),
  "a ref becomes symbolic": ({ git }) => git("symbolic-ref", "refs/heads/dev", "refs/heads/master"),
  "a state aligns it": ({ service, material }) =>
    service.repositories.align(service.ref("x"), {
      refs: new Map([["refs/heads/main", material.commits[2]!]]),
      symbolic: new Set(),
      head: "refs/heads/main",
    }),
  "single refs change": ({ service, material }) =>
    service.repositories.changeRefs(service.ref("x"), [
      { ref: "refs/heads/dev", oldOid: material.commits[1]!, newOid: "0".repeat(40) },
    ]),
  "it is replaced by an empty one": async ({ service }) => {
    assert.equal(await service.repositories.remove(service.ref("x"), { force: true }), "removed");
    await service.create("x");
  },
  "it is retired, made anew, and the new one filled": async ({ service, path, material, git }) => {
    assert.notEqual(await service.repositories.retire(service.ref("x"), "test"), "");
    await service.create("x");
    assert.deepEqual(await writeMaterial(service.git, path), material);
    await git("update-ref", "refs/heads/other", material.commits[0]!);
  },
  "it is restored": async ({ service }) => {
    const directory = await service.repositories.retire(service.ref("x"), "test");
    await service.create("x");
    await warm(service);
    await service.repositories.remove(service.ref("x"), { force: true });
    assert.ok(await service.repositories.restore(service.ref("x"), directory));
  },
  "its configuration hides refs": ({ path }) =>
    Deno.writeTextFile(`${path}/config`, "[transfer]\n\thideRefs = refs/tags\n", { append: true }),
  "its configuration names capabilities": ({ git }) => git("config", "uploadpack.allowRefInWant", "true"),
  "its configuration includes another": ({ path }) =>
    Deno.writeTextFile(`${path}/config`, "[include]\n\tpath = other\n", { append: true }),
  "it becomes shallow": ({ path, material }) =>
    Deno.writeTextFile(`${path}/shallow`, `${material.commits[0]}\n`),
  "it borrows objects and refs of another": async ({ service, path }) => {
    await service.create("donor");
    const donor = service.repositories.path(service.ref("donor"));
    const { commits } = await writeMaterial(service.git, donor);
    await inRepository(service.git, donor, ["update-ref", "refs/heads/theirs", commits[2]!]);
    await Deno.writeTextFile(`${path}/objects/info/alternates`, `${donor}/objects\n`);
  },
  "one of SHA-256 takes its place": async ({ service, path, git }) => {
    await Deno.remove(path, { recursive: true });
    await git("init", "-q", "--bare", "--object-format=sha256");
    const { commits } = await writeMaterial(service.git, path);
    await git("update-ref", "refs/heads/main", commits[0]!);
  },
  "the object of a broken ref arrives": async ({ service, path, material, git }) => {
    const [tip] = material.commits;
    await Deno.remove(`${path}/objects/${tip!.slice(0, 2)}/${tip!.slice(2)}`);
    await git("symbolic-ref", "HEAD", "refs/heads/dev");
    await warm(service);
    await service.create("donor");
    const donor = service.repositories.path(service.ref("donor"));
    await writeMaterial(service.git, donor);
    await inRepository(service.git, donor, ["update-ref", "refs/heads/all", tip!]);
    assert.ok(await service.repositories.copyObjects(service.ref("donor"), service.ref("x"), [tip!]));
  },
};

for (const [what, change] of Object.entries(CHANGES)) {
  Deno.test(`G-69 what is listed follows at once when ${what}`, () =>
    withRepository(async (changing) => {
      const { service, path } = changing;
      await warm(service);
      const before = service.started();
      const earlier = await answered(service, ALL_REFS);
      assert.equal(service.started(), before, "it was in memory");
      await change(changing);
      for (let round = 0; round < 2; round++) {
        for (
          const question of [...ADVERTISEMENTS.filter((_, index) => index !== 1 && index !== 4), ALL_REFS]
        ) {
          const expected = await said(service, question, path);
          // An empty repository is answered better than by old gits; a dying git says nothing here.
          if (expected !== "0000" && expected !== "") {
            assert.equal(await answered(service, question), expected);
          }
        }
        if (what === "refs are packed") assert.equal(await answered(service, ALL_REFS), earlier);
        if (round === 0) await warm(service);
      }
    }));
}

/** Views of repositories of their own, in virtual time. */
async function withViews(
  play: (
    bench: {
      service: Service;
      views: RefViews;
      clock: VirtualClock;
      stopping: AbortController;
      /** Resolves when all reading that nobody waits for has ended. */
      settled(): Promise<unknown>;
      path(name: string): Promise<string>;
    },
  ) => Promise<void>,
  bounds?: RefViewBounds,
): Promise<void> {
  await withService(async (service) => {
    const clock = new VirtualClock();
    const stopping = new AbortController();
    const readings: Promise<void>[] = [];
    const views = new RefViews({
      git: service.git,
      clock,
      places: new ProcessGate(() => 4, 1_000, clock),
      timeoutMs: () => 60_000,
      stopping: stopping.signal,
      track: (work) => void readings.push(work),
      ...(bounds && { bounds }),
    });
    const path = async (name: string) => {
      await service.create(name);
      const created = service.repositories.path(service.ref(name));
      const { commits } = await writeMaterial(service.git, created);
      await inRepository(service.git, created, ["update-ref", "refs/heads/master", commits[0]!]);
      await age(created);
      return created;
    };
    await play({ service, views, clock, stopping, settled: () => Promise.all(readings), path });
  });
}

/** Reads until the view is kept. */
async function keep(views: RefViews, clock: VirtualClock, path: string): Promise<void> {
  await views.isPlain(path);
  await clock.advance(100);
  await views.read(path);
}

Deno.test("G-69 refs are kept only when a later change is bound to show in the time stamps", () =>
  withViews(async ({ service, views, clock, path }) => {
    const repository = await path("x");
    let before = service.started();
    for (let n = 0; n < 3; n++) assert.ok(await views.read(repository));
    assert.equal(service.started() - before, 3);
    await clock.advance(100);
    before = service.started();
    for (let n = 0; n < 3; n++) assert.ok(await views.read(repository));
    assert.equal(service.started() - before, 1);
    const seconds = new Date(1_600_000_000_000);
    await Deno.utime(`${repository}/refs`, seconds, seconds);
    await views.read(repository);
    await clock.advance(100);
    before = service.started();
    for (let n = 0; n < 2; n++) await views.read(repository);
    assert.equal(service.started() - before, 2, "stamps of whole seconds take longer");
    await clock.advance(3_000);
    before = service.started();
    for (let n = 0; n < 2; n++) await views.read(repository);
    assert.equal(service.started() - before, 1);
  }));

Deno.test("G-69 many who ask at the same time share one child", () =>
  withViews(async ({ service, views, clock, path }) => {
    const repository = await path("x");
    await views.isPlain(repository);
    await clock.advance(100);
    const before = service.started();
    const all = await Promise.all(Array.from({ length: 50 }, () => views.read(repository)));
    assert.equal(service.started() - before, 1);
    assert.ok(all.every((view) => view !== undefined && view === all[0]));
  }));

Deno.test("G-69 at the bounds the repositories asked for longest ago are read anew", () =>
  withViews(async ({ service, views, clock, path }) => {
    const paths = await Promise.all(["a", "b", "c"].map(path));
    for (const repository of paths) await keep(views, clock, repository);
    const children = async (repository: string) => {
      const before = service.started();
      assert.ok(await views.read(repository));
      return service.started() - before;
    };
    assert.deepEqual(
      [await children(paths[2]!), await children(paths[1]!), await children(paths[0]!)],
      [0, 0, 1],
    );
    assert.ok(views.size > 0 && views.size <= 1 << 20);
  }, { repositories: 2, bytes: 1 << 20, listingBytes: 1 << 20 }));

Deno.test("G-69 the bound in bytes holds, and what is larger alone is left to git", () =>
  withViews(async ({ service, views, clock, path }) => {
    const [small, other, large] = [await path("small"), await path("other"), await path("large")];
    for (const repository of [small, other]) await keep(views, clock, repository);
    assert.ok(views.size > 0 && views.size <= 500);
    const { commits } = await writeMaterial(service.git, large);
    const lines = Array.from({ length: 50 }, (_, n) => `create refs/heads/b${n} ${commits[0]}\n`);
    await inRepository(service.git, large, ["update-ref", "--stdin"], lines.join(""));
    await age(large);
    await keep(views, clock, large);
    const before = service.started();
    for (let n = 0; n < 3; n++) assert.equal(await views.read(large), undefined);
    assert.equal(service.started(), before, "that it is too large is remembered");
  }, { repositories: 9, bytes: 500, listingBytes: 1_000 }));

Deno.test("G-69 listings alternate between prefixes, clients and repositories without being mixed up", () =>
  withService(async (service) => {
    for (const name of ["x", "y"]) {
      await service.create(name);
      const path = service.repositories.path(service.ref(name));
      const { commits } = await writeMaterial(service.git, path);
      await inRepository(service.git, path, ["update-ref", `refs/heads/of-${name}`, commits[0]!]);
      await inRepository(service.git, path, ["update-ref", "refs/tags/v1", commits[1]!]);
      await warm(service, name);
    }
    const questions = [
      lsRefs("peel", "symrefs", "ref-prefix refs/heads/"),
      lsRefs("peel", "symrefs", "ref-prefix refs/tags/"),
      lsRefs("ref-prefix refs/heads/of"),
      ALL_REFS,
    ];
    const before = service.started();
    const seen = new Set<string>();
    for (let round = 0; round < 3; round++) {
      for (const name of ["x", "y"]) {
        for (const question of [...questions, ...questions.slice(0, 2), questions[1]!]) {
          seen.add(`${name} ${questions.indexOf(question)} ${await answered(service, question, name)}`);
        }
      }
    }
    assert.equal(service.started(), before);
    assert.equal(seen.size, 8);
    for (const name of ["x", "y"]) {
      for (const [index, question] of questions.entries()) {
        const expected = await said(service, question, service.repositories.path(service.ref(name)));
        assert.ok(seen.has(`${name} ${index} ${expected}`));
      }
    }
  }, { virtualTime: true }));

Deno.test("G-69 a repository that cannot be listed is left to git", () =>
  withViews(async ({ views, clock, path }) => {
    assert.equal(await views.read("/nonexistent/x.git"), undefined);
    const repository = await path("x");
    await Deno.writeTextFile(`${repository}/packed-refs`, "nonsense\n");
    await age(repository);
    await keep(views, clock, repository);
    assert.equal(await views.read(repository), undefined);
    await Deno.remove(`${repository}/packed-refs`);
    assert.notEqual(await views.read(repository), undefined);
  }));

Deno.test("G-69 the first packed refs are seen, whoever writes them, and so is what they are changed to", () =>
  withService(async (service) => {
    await service.create("x");
    const path = service.repositories.path(service.ref("x"));
    const { commits } = await writeMaterial(service.git, path);
    await inRepository(service.git, path, ["update-ref", "refs/heads/dev", commits[0]!]);
    const listed = async () => {
      const expected = await said(service, ALL_REFS, path);
      assert.equal(await answered(service, ALL_REFS), expected);
      return expected;
    };
    await warm(service);
    assert.doesNotMatch(await listed(), /refs\/heads\/packed/);
    await Deno.writeTextFile(`${path}/packed-refs`, `${commits[1]} refs/heads/packed\n`);
    assert.match(await listed(), new RegExp(`${commits[1]} refs/heads/packed`));
    await warm(service);
    await Deno.writeTextFile(`${path}/packed-refs`, `${commits[2]} refs/heads/packed\n`);
    assert.match(await listed(), new RegExp(`${commits[2]} refs/heads/packed`));
  }, { virtualTime: true }));

const DAMAGES: Readonly<Record<string, (service: Service, path: string) => Promise<unknown>>> = {
  "was removed": ({ repositories, ref }) => repositories.remove(ref("x"), { force: true }),
  "was retired": ({ repositories, ref }) => repositories.retire(ref("x"), "test"),
  "was moved away by hand": (_service, path) => Deno.rename(path, `${path}.away`),
  "lost its HEAD": (_service, path) => Deno.remove(`${path}/HEAD`),
  "lost its objects": (_service, path) => Deno.remove(`${path}/objects`, { recursive: true }),
};

for (const [what, damage] of Object.entries(DAMAGES)) {
  Deno.test(`G-69 a repository that ${what} between two requests is not found`, () =>
    withService(async (service) => {
      await service.create("x");
      const path = service.repositories.path(service.ref("x"));
      await warm(service);
      const before = service.started();
      const questions = [...ADVERTISEMENTS, ALL_REFS];
      for (const question of questions) assert.doesNotMatch(await answered(service, question), /^404/);
      assert.equal(service.started(), before, "it was in memory");
      await damage(service, path);
      for (const question of questions) assert.match(await answered(service, question), /^404 /);
    }, { virtualTime: true }));
}

Deno.test("G-69 refs that have just changed are read once, before anybody asks, unless the service stops", () =>
  withViews(async ({ service, views, clock, stopping, settled, path }) => {
    const here = await path("x");
    const { commits } = await writeMaterial(service.git, here);
    const before = service.started();
    const renewals: Promise<void>[] = [];
    for (const name of ["one", "two", "three"]) {
      await Deno.writeTextFile(`${here}/refs/heads/${name}`, `${commits[0]}\n`);
      renewals.push(views.renew(here));
      await views.isPlain(here); // the look is over
    }
    await clock.advance(100);
    await Promise.all(renewals);
    await settled();
    assert.equal(service.started() - before, 1);
    const view = await views.read(here);
    assert.ok(view && view !== "busy");
    assert.equal(view.count, 5, "HEAD and four branches");
    assert.equal(service.started() - before, 1);
    await Deno.writeTextFile(`${here}/refs/heads/four`, `${commits[0]}\n`);
    const late = views.renew(here);
    stopping.abort();
    await late;
    await settled();
    assert.equal(service.started() - before, 1);
  }));
