import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Deps } from '../../composition/deps.ts'
import { type Config, checkProductionSafety, type Environment } from '../../config.ts'
import { bootstrapKeyExists, listBusinesses } from '../../domain/businesses/index.ts'
import { within } from '../../domain/context.ts'
import type { Finding } from '../../domain/system/index.ts'
import { errorMessage } from '../../lib/errors.ts'
import { openEntries } from '../../lib/file-modes.ts'
import { PRIVATE_ENTRIES } from '../supervise/data-directory.ts'

/** `code` becomes that of the finding, `doctor_…`: it names the words of the console. */
export type Report = (
  check: string,
  state: Finding['state'],
  code: string,
  found: string,
  advice?: string | null,
) => void

/** Counting stops here: the next start closes all of them. */
const MANY = 1_000

export function examineSettings(config: Config, environment: Environment, report: Report): void {
  if (config.sandbox) return
  const unsafe = checkProductionSafety(environment)
  for (const line of unsafe)
    report('safety', 'warning', 'unsafe_setting', line, 'Correct it. With NODE_ENV=production the start is refused.')
  if (config.webhooksAllowPrivate)
    report(
      'safety',
      'warning',
      'webhooks_private',
      'webhooks may call addresses of this network',
      'Unset WEBHOOKS_ALLOW_PRIVATE, unless every tenant may reach them.',
    )
  if (unsafe.length === 0) report('safety', 'ok', 'safe', 'no setting that production refuses')
}

export async function examineFiles({ dataDir }: Config, report: Report): Promise<void> {
  const advice = 'Start the product again; it closes them. On a file system without modes, choose another DATA_DIR.'
  try {
    const top = (await stat(dataDir)).mode & 0o777
    if ((top & 0o066) !== 0)
      return report('files', 'problem', 'files_open', `${dataDir} is open to other users (${octal(top)})`, advice)
    let open = 0
    for (const name of PRIVATE_ENTRIES)
      for await (const _ of openEntries(join(dataDir, name))) {
        open += 1
        if (open >= MANY) break
      }
    if (open > 0)
      report(
        'files',
        'warning',
        'files_open',
        `${open >= MANY ? 'at least ' : ''}${open} files are open to other users`,
        advice,
      )
    else report('files', 'ok', 'files', 'closed to other users')
  } catch (error) {
    report('files', 'problem', 'files_unreadable', errorMessage(error), 'Start the product once, or correct DATA_DIR.')
  }
}

export async function examineAccess(deps: Deps, report: Report): Promise<void> {
  if (!deps.mailer) report('mail', 'ok', 'mail_not_set_up', 'not set up; links are printed and sent by hand')
  else
    await deps.mailer
      .check()
      .then(() => report('mail', 'ok', 'mail', 'the mail server accepts the login'))
      .catch((error: unknown) =>
        report('mail', 'problem', 'mail_refused', errorMessage(error), 'Start it, or correct SMTP_URL.'),
      )
  const [first] = await listBusinesses(deps.ctx)
  if (first && !deps.config.apiKey && (await bootstrapKeyExists(within(deps.ctx, first.id))))
    report(
      'API key',
      'warning',
      'old_api_key',
      'API_KEY is not set, but its earlier key is still valid',
      'If nothing uses it, find it with `bun run cli key list` (named bootstrap) and revoke it with `key revoke`.',
    )
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, '0')
}
