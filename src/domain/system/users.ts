import { users } from '../../../db/schema/index.ts'
import type { DomainContext } from '../context.ts'

export async function usersExist(ctx: DomainContext): Promise<boolean> {
  const rows = await ctx.db.select({ id: users.id }).from(users).limit(1)
  return rows.length > 0
}
