import { join } from 'node:path'
import type { Config } from '../../config.ts'
import { errorMessage } from '../../lib/errors.ts'
import { makePrivateDirectory, tightenTree } from '../../lib/file-modes.ts'
import type { Logger } from '../../lib/log.ts'

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

/** Closes the data directory to other users at once, and in the background the files that earlier versions left open. */
export function closeDataDirectory({ dataDir, database }: Config, logger: Logger): void {
  // As root, the embedded Postgres runs as another user.
  if (!makePrivateDirectory(dataDir, database.kind === 'embedded' && process.getuid?.() === 0))
    logger.warn({ dataDir }, 'DATA_DIR is shared with other users; set it to a directory of the product alone')
  const tighten = async () => {
    let changed = 0
    for (const name of PRIVATE_ENTRIES) changed += await tightenTree(join(dataDir, name))
    if (changed > 0) logger.info({ changed }, 'file modes in the data directory restricted')
  }
  tighten().catch((error: unknown) =>
    logger.error({ reason: errorMessage(error) }, 'file modes in the data directory not restricted'),
  )
}
