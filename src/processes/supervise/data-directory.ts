import { join } from 'node:path'
import type { Config } from '../../config.ts'
import { errorMessage } from '../../lib/errors.ts'
import { makePrivateDirectory, tightenTree } from '../../lib/file-modes.ts'
import type { Logger } from '../../lib/log.ts'

/** What the product keeps in the data directory; the database's own directory sees to itself. */
export const PRIVATE_ENTRIES = [
  'files',
  'call-records',
  'caller',
  'prompts',
  'sandbox',
  'sandbox.json',
  'session-secret',
  'start.lock',
  'start.lock.pid',
]

/** Closes the data directory to other users at once, and what an earlier version left open inside it in the background. */
export function closeDataDirectory({ dataDir, database }: Config, logger: Logger): void {
  // As root, the embedded Postgres runs as another user.
  if (!makePrivateDirectory(dataDir, database.kind === 'embedded' && process.getuid?.() === 0))
    logger.warn({ dataDir }, 'DATA_DIR is a directory that others use too: give the product one of its own')
  const tighten = async () => {
    let changed = 0
    for (const name of PRIVATE_ENTRIES) changed += await tightenTree(join(dataDir, name))
    if (changed > 0) logger.info({ changed }, 'files in the data directory were closed to other users')
  }
  tighten().catch((error: unknown) =>
    logger.error({ reason: errorMessage(error) }, 'the data directory could not be closed to other users'),
  )
}
