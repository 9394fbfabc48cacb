import assert from "node:assert/strict";
import fc from "fast-check";
import { generateSecretKey, getPublicKey, verifyEvent } from "nostr-tools/pure";
import { initNostrWasm } from "nostr-wasm";
import { BIP340_VECTORS } from "../../lib/nostr/bip340_vectors.ts";
import { parseEvent } from "../../lib/nostr/mod.ts";
import { answersVectors, openSecp256k1, type SchnorrVerify } from "../../lib/nostr/secp256k1.ts";
import { loadWasmSignatureCheck, nativeSignatureCheck } from "../../lib/nostr/signature.ts";
import { installedSecp256k1, withoutSecp256k1 } from "../support/secp256k1.ts";
import { ServerProcess } from "../support/server_process.ts";
import { withTempDirectory } from "../support/temp.ts";

const MODULE = new URL("../../lib/nostr/secp256k1.ts", import.meta.url).href;
const CONFIG = new URL("../../deno.json", import.meta.url).pathname;

Deno.test("a check is trusted only when it answers every vector of BIP-340 right", () => {
  const right: SchnorrVerify = (publicKey, message, signature) =>
    BIP340_VECTORS.find((vector) =>
      vector.publicKey === publicKey && vector.message === message && vector.signature === signature
    )!.isValid;
  assert.equal(answersVectors(right), true);
  for (const wrong of BIP340_VECTORS) {
    assert.equal(
      answersVectors((...given) => given[2] === wrong.signature ? !right(...given) : right(...given)),
      false,
    );
  }
  for (const answer of [true, false]) assert.equal(answersVectors(() => answer), false);
  assert.equal(BIP340_VECTORS.filter(({ isValid }) => isValid).length, 5);
  assert.equal(BIP340_VECTORS.length, 15);
});

Deno.test("a library that is off is not opened, and one that cannot be is named", () => {
  assert.deepEqual(openSecp256k1("off"), {});
  const cases = [["/nonexistent/libsecp256k1.so.1"], ["/dev/null"], [Deno.execPath()]] as const;
  for (const [path] of cases) {
    const { library, problem } = openSecp256k1(path);
    assert.equal(library, undefined);
    assert.equal(
      problem,
      `${path} cannot be loaded as libsecp256k1, version 0.2 or later with Schnorr signatures`,
    );
  }
});

Deno.test("a library in a usual place that cannot be used is named, unless another one can be", () =>
  withTempDirectory(async (directory) => {
    const broken = `${directory}/libsecp256k1.so.6`;
    await Deno.writeTextFile(broken, "not a library");
    const missing = `${directory}/libsecp256k1.so.2`;
    assert.deepEqual(openSecp256k1("", [missing, broken]), {
      problem: `${broken} cannot be loaded as libsecp256k1, version 0.2 or later with Schnorr signatures`,
    });
    assert.deepEqual(openSecp256k1("", [missing]), {});
    if (!installedSecp256k1) return;
    const { library, problem } = openSecp256k1("", [broken, installedSecp256k1]);
    assert.deepEqual([library?.path, problem], [installedSecp256k1, undefined]);
    library?.close();
  }));

/** `openSecp256k1(setting)` in a process with these permissions: the path of the library, or the problem. */
async function openedWith(setting: string, ...permissions: string[]): Promise<string> {
  const program = `import { openSecp256k1 } from "${MODULE}";
    const { library, problem } = openSecp256k1("${setting}");
    console.log(library?.path ?? problem ?? "none");`;
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-prompt",
      "--quiet",
      "--no-check",
      `--config=${CONFIG}`,
      ...permissions,
      `data:application/typescript,${encodeURIComponent(program)}`,
    ],
    cwd: "/",
    env: { LD_LIBRARY_PATH: "/nonexistent" },
  }).output();
  return new TextDecoder().decode(stdout).trim();
}

Deno.test({
  name: `the library is used with the permission for its file, and left alone without${withoutSecp256k1}`,
  ignore: !installedSecp256k1,
  fn: async () => {
    const path = installedSecp256k1!;
    assert.equal(await openedWith("", "--allow-ffi"), path);
    assert.equal(await openedWith("", `--allow-ffi=${path}`), path);
    assert.equal(await openedWith(path, `--allow-ffi=${path}`), path);
    assert.equal(await openedWith(""), "none");
    assert.equal(await openedWith("", "--allow-ffi=/nowhere/libsecp256k1.so.1"), "none");
    assert.equal(
      await openedWith(path),
      `${path} may not be loaded: missing permission --allow-ffi=${path}`,
    );
  },
});

Deno.test({
  name: `the library takes nothing from an earlier call, and nothing once it is closed${withoutSecp256k1}`,
  ignore: !installedSecp256k1,
  fn: () => {
    const library = openSecp256k1(installedSecp256k1!).library!;
    const { publicKey, message, signature } = BIP340_VECTORS[1]!;
    assert.equal(library.verify(publicKey, message, signature), true);
    for (
      const [key, hash, proof] of [
        ["", message, signature],
        [publicKey, "", signature],
        [publicKey, message, ""],
        [publicKey, message, signature.slice(0, 126)],
        [publicKey, message, signature + "00"],
        [publicKey, message, "zz" + signature.slice(2)],
        [publicKey, message, signature.slice(0, 126) + "zz"],
        [publicKey + "00", message, signature],
      ] as const
    ) assert.equal(library.verify(key, hash, proof), false);
    assert.equal(library.verify(publicKey, message, signature), true);
    library.close();
    library.close();
    assert.throws(() => library.verify(publicKey, message, signature), /closed/);
  },
});

Deno.test({
  name:
    `a start logs what checks signatures, and why it is not the library that was named${withoutSecp256k1}`,
  ignore: !installedSecp256k1,
  fn: async () => {
    const cases: readonly (readonly [Record<string, string>, RegExp])[] = [
      [{}, new RegExp(`signatures check=native library=${installedSecp256k1}`)],
      [{ NGIT_SECP256K1_LIBRARY: "off" }, /signatures check=wasm\n/],
      [
        { NGIT_SECP256K1_LIBRARY: "/nonexistent/lib.so" },
        /WARN.* signatures are checked by WebAssembly problem="\/nonexistent\/lib\.so cannot be loaded/,
      ],
    ];
    for (const [env, expected] of cases) {
      await withTempDirectory(async (directory) => {
        const server = await ServerProcess.start({
          dataPath: directory,
          env: { NGIT_LOG_FORMAT: "text", ...env },
        });
        await server.stop();
        assert.match(server.log, expected);
      });
    }
  },
});

/** Texts of any UTF-16 units, most of them ones that serialisations treat differently. */
const hostileText = fc.array(
  fc.oneof(
    fc.integer({ min: 0, max: 0x1f }),
    fc.constantFrom(0x22, 0x5c, 0x2f, 0x7f, 0x85, 0x2028, 0x2029, 0xd800, 0xdbff, 0xdc00, 0xdfff, 0xfeff),
    fc.integer({ min: 0, max: 0xffff }),
  ),
  { maxLength: 40 },
).map((units) => String.fromCharCode(...units));

/** Which digit of which field is changed, and by how much. */
const change = fc.record({
  field: fc.constantFrom("id", "pubkey", "sig"),
  at: fc.nat(127),
  by: fc.integer({ min: 1, max: 15 }),
});

Deno.test({
  name:
    `IO-1 the library, WebAssembly and nostr-tools agree on every event, whatever is in it or changed of it${withoutSecp256k1}`,
  ignore: !installedSecp256k1,
  fn: async () => {
    const library = openSecp256k1(installedSecp256k1!).library!;
    const native = nativeSignatureCheck(library);
    const wasm = await loadWasmSignatureCheck();
    const signer = await initNostrWasm();
    const key = generateSecretKey();
    fc.assert(
      fc.property(
        hostileText,
        fc.array(fc.array(hostileText, { minLength: 1, maxLength: 3 }), { maxLength: 3 }),
        fc.nat(65_535),
        fc.oneof(fc.nat(), fc.constant(Number.MAX_SAFE_INTEGER)),
        fc.option(change, { nil: undefined }),
        (content, tags, kind, created_at, changed) => {
          const signed = { kind, created_at, tags, content, pubkey: getPublicKey(key), id: "", sig: "" };
          signer.finalizeEvent(signed, key);
          if (changed) {
            const digits = [...signed[changed.field]];
            const at = changed.at % digits.length;
            digits[at] = (parseInt(digits[at]!, 16) ^ changed.by).toString(16);
            signed[changed.field] = digits.join("");
          }
          const parsed = parseEvent(JSON.parse(JSON.stringify(signed)));
          assert.ok(parsed.ok);
          const { event } = parsed;
          assert.equal(native(event), changed === undefined);
          assert.equal(wasm(event), changed === undefined);
          const { id, pubkey, sig } = event;
          const copy = { id, pubkey, sig, kind, created_at, content, tags };
          assert.equal(verifyEvent(copy), changed === undefined);
        },
      ),
      { numRuns: 400 },
    );
    library.close();
  },
});
