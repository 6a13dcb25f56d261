import type { Deps } from '../composition/deps.ts'
import type { Config } from '../config.ts'
import type { Client } from '../trpc/client.ts'

/** What a command works with. */
export type Session = {
  config: Config
  /** Base URL of the installation. */
  url: string
  apiKey: string | null
  json: boolean
  /** It works on this machine's database itself, with no server between. */
  local: boolean
  /** The typed client: of the running server, or of the database itself with `--local`. */
  client: Client
}

/** Handed to the command modules, so that settings are read when a command runs, not when help is shown. */
export type Cli = {
  session(): Promise<Session>
  /** Prints data for a machine or a table for a person. */
  show(data: unknown, table: () => string): Promise<void>
  /** The settings alone: for what works before there is anything to log in to. */
  settings(): Config
  /** Runs on the machine's own database, with everything that a server process has. */
  local<T>(run: (deps: Deps) => Promise<T>): Promise<T>
}
