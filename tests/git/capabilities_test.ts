import assert from "node:assert/strict";
import { ADVERTISEMENTS, ALL_REFS, answered, said, warm } from "./discovery.ts";
import { inRepository, writeMaterial } from "./random_repository.ts";
import { type Service, withService } from "./service.ts";

async function fill(service: Service): Promise<string> {
  await service.create("x");
  const path = service.repositories.path(service.ref("x"));
  const { commits } = await writeMaterial(service.git, path);
  await inRepository(service.git, path, ["update-ref", "refs/heads/master", commits[0]!]);
  return path;
}

/** Asks for every advertisement; returns how many children that took. */
async function children(service: Service, path: string): Promise<number> {
  let count = 0;
  for (const question of ADVERTISEMENTS) {
    const before = service.started();
    const answer = await answered(service, question);
    count += service.started() - before;
    assert.equal(answer, await said(service, question, path));
  }
  return count;
}

Deno.test("G-69 a git that advertises in a way we do not know answers for itself, every time", () =>
  withService(async (service) => {
    const path = await fill(service);
    await warm(service);
    assert.equal(await children(service, path), ADVERTISEMENTS.length);
    await answered(service, ALL_REFS);
    const before = service.started();
    await answered(service, ALL_REFS);
    assert.equal(service.started(), before, "listings are as ever");
  }, {
    virtualTime: true,
    script: 'case "$*" in *--advertise-refs*) git "$@"; printf 0000;; *) exec git "$@";; esac',
  }));

Deno.test("G-69 what git advertises is learnt a minute later when it could not be at first", () =>
  withService(async (service) => {
    const path = await fill(service);
    await Deno.writeTextFile(`${service.directory}/home/broken`, "");
    await warm(service);
    assert.equal(await children(service, path), ADVERTISEMENTS.length);
    await Deno.remove(`${service.directory}/home/broken`);
    assert.equal(await children(service, path), ADVERTISEMENTS.length);
    await service.clock.advance(60_000);
    await answered(service, ADVERTISEMENTS[0]!);
    assert.equal(await children(service, path), 0);
    const left = [...Deno.readDirSync(service.repositories.root)].map(({ name }) => name);
    assert.deepEqual(left.filter((name) => name.startsWith(".capabilities")), []);
  }, {
    virtualTime: true,
    script: 'case "$1" in init) [ ! -e "$HOME/broken" ] || exit 1;; esac\nexec git "$@"',
  }));
