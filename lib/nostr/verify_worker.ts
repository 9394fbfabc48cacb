/** Worker side of the verifier: checks batches of signatures, one message each way per batch. */
import { openSecp256k1 } from "./secp256k1.ts";
import { loadWasmSignatureCheck, nativeSignatureCheck, type SignatureCheck } from "./signature.ts";
import type { VerifyReply, VerifyRequest } from "./verify.ts";

/** The part of a worker's global scope that is used here. */
interface WorkerScope {
  onmessage: ((message: MessageEvent<VerifyRequest>) => void) | null;
  postMessage(reply: VerifyReply): void;
}

const scope = self as unknown as WorkerScope;
let loading: Promise<SignatureCheck> | undefined;

/** The check the verifier asks for; an answer by another one would hide that its library is gone. */
async function load(path: string | undefined): Promise<SignatureCheck> {
  if (path === undefined) return await loadWasmSignatureCheck();
  const { library, problem } = openSecp256k1(path);
  if (!library) throw new Error(problem);
  return nativeSignatureCheck(library);
}

scope.onmessage = async ({ data: { batch, events, library } }) => {
  const check = await (loading ??= load(library));
  scope.postMessage({ batch, valid: events.map(check) });
};
