import { eq } from 'drizzle-orm'
import { pushKeys } from '../../../db/schema/index.ts'
import type { SecretBox } from '../../lib/secret-box.ts'
import type { PushKeys, PushSender } from '../../providers/push/port.ts'
import type { DomainContext } from '../context.ts'

export type PushDeps = { sender: PushSender; box: SecretBox }

const NAME = 'vapid'

/** The installation's keys, made when there are none: browsers subscribe to these, so they must stay. */
export async function ensurePushKeys(ctx: Pick<DomainContext, 'db'>, { sender, box }: PushDeps): Promise<PushKeys> {
  const found = await readKeys(ctx, box)
  if (found) return found
  const { publicKey, privateKey } = sender.makeKeys()
  await ctx.db
    .insert(pushKeys)
    .values({ name: NAME, publicKey, sealed: box.seal(privateKey, placeOf(publicKey)) })
    .onConflictDoNothing()
  // Another process may have been first.
  const kept = await readKeys(ctx, box)
  if (!kept) throw new Error('The push keys were not written.')
  return kept
}

async function readKeys(ctx: Pick<DomainContext, 'db'>, box: SecretBox): Promise<PushKeys | null> {
  const [row] = await ctx.db.select().from(pushKeys).where(eq(pushKeys.name, NAME))
  return row ? { publicKey: row.publicKey, privateKey: box.open(row.sealed, placeOf(row.publicKey)) } : null
}

function placeOf(publicKey: string): string {
  return `push key ${publicKey}`
}
