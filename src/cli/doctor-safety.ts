import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Deps } from '../composition/deps.ts'
import { type Config, checkProductionSafety, type Environment } from '../config.ts'
import { bootstrapKeyExists, listBusinesses } from '../domain/businesses/index.ts'
import { within } from '../domain/context.ts'
import { errorMessage } from '../lib/errors.ts'
import { openEntries } from '../lib/file-modes.ts'
import { PRIVATE_ENTRIES } from '../processes/supervise/data-directory.ts'
import type { Say } from './finding.ts'

/** Enough to know that something is open; the start closes all of it. */
const MANY = 1_000

/** Settings that production would refuse, or that open something. */
export function examineSettings(config: Config, environment: Environment, say: Say): void {
  if (config.sandbox) return
  const unsafe = checkProductionSafety(environment)
  for (const line of unsafe) say('safety', 'warning', line, 'Correct it; with NODE_ENV=production it would be refused.')
  if (config.webhooksAllowPrivate)
    say(
      'safety',
      'warning',
      'webhooks may lead to addresses of this network',
      'Unset WEBHOOKS_ALLOW_PRIVATE unless every tenant may reach those.',
    )
  if (unsafe.length === 0) say('safety', 'ok', 'no setting that production would refuse')
}

/** Whether other users of the machine can read what lies in the data directory. */
export async function examineFiles({ dataDir }: Config, say: Say): Promise<void> {
  const advice = 'Start the product again: it closes them. On a file system without modes, choose another DATA_DIR.'
  try {
    const top = (await stat(dataDir)).mode & 0o777
    if ((top & 0o066) !== 0) return say('files', 'problem', `${dataDir} is open to other users (${octal(top)})`, advice)
    let open = 0
    for (const name of PRIVATE_ENTRIES)
      for await (const _ of openEntries(join(dataDir, name))) {
        open += 1
        if (open >= MANY) break
      }
    if (open > 0)
      say('files', 'warning', `${open >= MANY ? 'at least ' : ''}${open} files are open to other users`, advice)
    else say('files', 'ok', 'closed to other users')
  } catch (error) {
    say('files', 'problem', errorMessage(error), 'Start the product once, or correct DATA_DIR.')
  }
}

/** Whether mail goes out, and whether a key from earlier settings still opens the installation. */
export async function examineAccess(deps: Deps, say: Say): Promise<void> {
  if (!deps.mailer) say('mail', 'ok', 'not set up: links of invitations are handed over by hand')
  else
    await deps.mailer
      .check()
      .then(() => say('mail', 'ok', 'the mail server takes the sign-in'))
      .catch((error: unknown) => say('mail', 'problem', errorMessage(error), 'Start it, or correct SMTP_URL.'))
  const [first] = await listBusinesses(deps.ctx)
  if (first && !deps.config.apiKey && (await bootstrapKeyExists(within(deps.ctx, first.id))))
    say(
      'API key',
      'warning',
      'API_KEY is not set, but the key that it was is still valid',
      'If nothing uses it: `bun run cli key list`, then `key revoke` the one named bootstrap.',
    )
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, '0')
}
