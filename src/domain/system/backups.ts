import { and, desc, eq, isNull } from 'drizzle-orm'
import { z } from 'zod'
import { auditLog } from '../../../db/schema/index.ts'
import { audit, type DomainContext } from '../context.ts'

const ACTION = 'installation.backup'
const data = z.object({ rows: z.number(), files: z.number(), missing: z.number() })

export const backupView = z.object({ at: z.date(), ...data.shape })

/** Notes that a backup was written: how many rows and files are in it, and how many files were missing. */
export async function noteBackup(ctx: DomainContext, written: z.infer<typeof data>): Promise<void> {
  await audit(ctx.db, ctx, { action: ACTION, entity: 'installation', entityId: 'backup', data: written })
}

/** The last backup that was written by the command line; null when there was none. */
export async function lastBackup(ctx: DomainContext): Promise<z.infer<typeof backupView> | null> {
  const [row] = await ctx.db
    .select({ at: auditLog.createdAt, data: auditLog.data })
    .from(auditLog)
    .where(and(isNull(auditLog.businessId), eq(auditLog.entity, 'installation'), eq(auditLog.action, ACTION)))
    .orderBy(desc(auditLog.id))
    .limit(1)
  return row ? { at: row.at, ...data.parse(row.data) } : null
}
