import type { Context } from 'hono'
import { z } from 'zod'
import type { AccessContext, BusinessEnv } from '../../access/authenticate.ts'
import { PERMISSIONS } from '../../access/permissions.ts'
import { requireAccess } from '../../access/require-access.ts'
import { EXPORT_KINDS, streamExport } from '../../domain/exports/index.ts'
import { AppError } from '../../lib/errors.ts'
import { attachment } from '../../lib/escape/header.ts'
import { requireKnownParameters } from './known-parameters.ts'

/** How often the permission is checked again while a large export is read. */
const RECHECK_MS = 3_000

/** Answers `/exports/<kind>.csv` with the whole export as a stream. */
export function serveExport(
  c: Context<BusinessEnv>,
  authenticateAgain: (request: Request) => Promise<AccessContext>,
): Response {
  const kind = z.enum(EXPORT_KINDS).safeParse(c.req.param('file')?.replace(/\.csv$/, ''))
  if (!kind.success)
    throw new AppError(
      'not_found',
      'export_not_found',
      `There is no such export. There are ${EXPORT_KINDS.join(', ')}.`,
    )
  requireKnownParameters(new URL(c.req.url).searchParams, ['business'])
  const business = c.get('business')
  const lines = streamExport(business, kind.data)
  let checkedAt = performance.now()
  const body = new ReadableStream({
    async pull(controller) {
      if (performance.now() - checkedAt > RECHECK_MS) {
        const again = await authenticateAgain(c.req.raw)
        if (again.businessId !== business.businessId) throw new Error('The credentials belong to another business now.')
        requireAccess(again.access, PERMISSIONS['exports.csv'])
        checkedAt = performance.now()
      }
      const { value, done } = await lines.next()
      if (done) controller.close()
      else controller.enqueue(new TextEncoder().encode(value))
    },
    async cancel() {
      await lines.return(undefined)
    },
  })
  return new Response(body, {
    headers: {
      'Content-Type': 'text/csv; charset=utf-8',
      'Content-Disposition': attachment(`${kind.data}.csv`),
    },
  })
}
