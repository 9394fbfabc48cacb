import { openSecp256k1, secp256k1Path } from "../nostr/mod.ts";
import { mayOpenLibrary } from "../world/mod.ts";
import { type CheckResult, resultsOf } from "./check_result.ts";

/** What signatures would be checked with: a library that was asked for can be used, one that is there may be. */
export async function checkSignatures(setting: string | undefined): Promise<CheckResult> {
  const { ok, warn, fail, skip } = resultsOf("signatures");
  if (setting === undefined) return skip("NGIT_SECP256K1_LIBRARY is not valid");
  const { library, problem } = openSecp256k1(setting);
  library?.close();
  if (library) return ok(`checked by ${library.path}`);
  if (problem !== undefined) {
    return setting === "" ? warn(problem) : fail(`NGIT_SECP256K1_LIBRARY: ${problem}`);
  }
  const path = await secp256k1Path(setting);
  return path !== undefined && !mayOpenLibrary(path)
    ? warn(`checked by WebAssembly: ${path} may not be loaded, missing permission --allow-ffi=${path}`)
    : ok("checked by WebAssembly");
}
