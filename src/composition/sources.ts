import type { Config } from '../config.ts'
import type { SourceDeps } from '../domain/knowledge/index.ts'
import { createSafeFetch } from '../lib/safe-fetch.ts'
import type { ObjectStorage } from '../providers/storage/port.ts'

/** What reads files and sites; sites, whose addresses users name, by the one safe client. */
export function createSources(config: Config, storage: ObjectStorage): SourceDeps {
  return {
    storage,
    fetch: createSafeFetch({ allowPrivate: config.webhooksAllowPrivate, ownPorts: [config.port] }),
  }
}
