/** The listener's face: routing, common headers, pages, health. */
export { clientAddress } from "./client_address.ts";
export { bind, type Listener } from "./listener.ts";
export type { Site } from "./pages.ts";
export { createHandler, type Routes } from "./router.ts";
