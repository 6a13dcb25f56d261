import { AppError } from '../../lib/errors.ts'

/** Rejects unknown query parameters: a misspelt filter would answer everything. @throws AppError `unknown_parameter` */
export function requireKnownParameters(query: URLSearchParams, known: readonly string[]): void {
  const unknown = [...query.keys()].find((name) => !known.includes(name))
  if (unknown === undefined) return
  const choices = known.length > 0 ? `The parameters here are ${known.join(', ')}.` : 'There are no parameters here.'
  throw new AppError('invalid', 'unknown_parameter', `There is no parameter “${unknown.slice(0, 100)}”. ${choices}`, {
    field: unknown.slice(0, 100),
  })
}
