import { and, eq, inArray } from 'drizzle-orm'
import { imports } from '../../../db/schema/index.ts'
import { audit, type BusinessContext } from '../context.ts'

/** Ends an import that cannot go on; imported rows and the file stay. `reason`: a code or sentence without personal data. */
export async function failImport(ctx: BusinessContext, id: string, reason: string): Promise<void> {
  await ctx.db.transaction(async (tx) => {
    const [row] = await tx
      .update(imports)
      .set({ state: 'failed' })
      .where(
        and(eq(imports.id, id), eq(imports.businessId, ctx.businessId), inArray(imports.state, ['queued', 'running'])),
      )
      .returning({ processed: imports.processed })
    if (row)
      await audit(tx, ctx, {
        action: 'import.fail',
        entity: 'import',
        entityId: id,
        data: { reason, processed: row.processed },
      })
  })
}
