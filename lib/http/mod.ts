/** The listener's face: routing, common headers, pages, health. */
export { clientAddress } from "./client_address.ts";
export { bind, type Listener } from "./listener.ts";
export { repositoryFacts } from "./repository_facts.ts";
export { createReadiness, type Readiness } from "./readiness.ts";
export { createHandler, createOperatorHandler, type Routes } from "./router.ts";
export type { RepositoryFacts, Site } from "./site.ts";
export type * from "./status_facts.ts";
export { archiveKind, describeServer } from "./describe_server.ts";
