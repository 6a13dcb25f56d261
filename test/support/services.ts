import type { DatabaseHandle } from '../../db/client.ts'
import { createLogin } from '../../src/auth.ts'
import type { DomainContext } from '../../src/domain/context.ts'
import type { ApiServices } from '../../src/trpc/trpc.ts'

export type TestServices = { api: ApiServices; close(): Promise<void> }

/** The services behind the router, on a test's own database. */
export async function createTestServices(
  _url: string,
  database: DatabaseHandle,
  _ctx: DomainContext,
): Promise<TestServices> {
  return {
    api: {
      createLogin: (login) =>
        createLogin(
          { db: database.db, secret: 'a secret of the tests', publicBaseUrl: 'http://localhost:5000' },
          login,
        ),
    },
    close: async () => {},
  }
}
