import type { Deps } from '../composition/deps.ts'
import type { Config } from '../config.ts'
import type { Client } from '../trpc/client.ts'

export type Session = {
  config: Config
  url: string
  apiKey: string | null
  json: boolean
  local: boolean
  client: Client
}

/** Given to every command: settings are read when a command runs, not when help is shown. */
export type Cli = {
  session(): Promise<Session>
  show(data: unknown, table: () => string): Promise<void>
  settings(): Config
  /** On the database of this machine, or of the settings that are given. */
  local<T>(run: (deps: Deps) => Promise<T>, config?: Config): Promise<T>
}
