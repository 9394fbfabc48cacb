/** Worker side of the verifier: checks batches of signatures, one message each way per batch. */
import { loadSignatureCheck } from "./signature.ts";
import type { VerifyReply, VerifyRequest } from "./verify.ts";

/** The part of a worker's global scope that is used here. */
interface WorkerScope {
  onmessage: ((message: MessageEvent<VerifyRequest>) => void) | null;
  postMessage(reply: VerifyReply): void;
}

const scope = self as unknown as WorkerScope;
const loading = loadSignatureCheck();

scope.onmessage = async ({ data }) => {
  const check = await loading;
  scope.postMessage({ batch: data.batch, valid: data.events.map(check) });
};
