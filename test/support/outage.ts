import postgres from 'postgres'
import { sharedPostgres } from './postgres.ts'
import type { Product } from './product.ts'

/** Makes the product's database unavailable: it disconnects all clients and admits only the administrator. */
export async function openOutage(
  product: Product,
): Promise<{ shut(away: boolean): Promise<void>; close(): Promise<void> }> {
  const name = new URL(product.env.DATABASE_URL ?? '').pathname.slice(1)
  const admin = postgres((await sharedPostgres()).adminUrl, { max: 1, onnotice: () => {} })
  const shut = async (away: boolean) => {
    await admin.unsafe(`alter database ${name} with allow_connections ${away ? 'false' : 'true'}`)
    if (away) await admin`select pg_terminate_backend(pid) from pg_stat_activity where datname = ${name}`
  }
  return {
    shut,
    async close() {
      await shut(false)
      await admin.end({ timeout: 2 })
    },
  }
}
