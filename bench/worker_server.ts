/** A server in a worker of its own. */
export interface WorkerServer {
  readonly port: number;
  stop(): void;
}

/** Starts the worker at `url`, which answers `settings` with the port it listens on. */
export async function startWorkerServer(url: URL, settings: unknown): Promise<WorkerServer> {
  const worker = new Worker(url, { type: "module" });
  const port = await new Promise<number>((resolve, reject) => {
    worker.onmessage = ({ data }: MessageEvent<number>) => resolve(data);
    worker.onerror = ({ message }) => reject(new Error(message));
    worker.postMessage(settings);
  });
  return { port, stop: () => worker.terminate() };
}
