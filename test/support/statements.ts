import type { Sql, TransactionSql } from 'postgres'

export type Statement = { query: string; params: unknown[]; transaction: number | null }

/** Records the statements that `run` sends through a client: drizzle uses `unsafe`, transactions use `begin`. */
export async function recordStatements(client: Sql, run: () => Promise<unknown>): Promise<Statement[]> {
  const statements: Statement[] = []
  const { unsafe, begin } = client
  let transactions = 0
  const spied = <C extends Sql | TransactionSql>(target: C, transaction: number | null) => {
    const original = target.unsafe
    target.unsafe = ((query: string, params: unknown[] = [], ...rest: []) => {
      if (/^\s*(select|with|\()/i.test(query)) statements.push({ query, params, transaction })
      return original.call(target, query, params as never[], ...rest)
    }) as typeof target.unsafe
    return target
  }
  spied(client, null)
  client.begin = ((...given: unknown[]) => {
    const work = given.at(-1)
    transactions += 1
    const number = transactions
    if (typeof work !== 'function') throw new Error('A transaction needs its work.')
    const begun = (tx: TransactionSql) => work(spied(tx, number))
    return Reflect.apply(begin, client, [...given.slice(0, -1), begun])
  }) as typeof client.begin
  try {
    await run()
  } finally {
    client.unsafe = unsafe
    client.begin = begin
  }
  return statements
}

/** Runs recorded statements again: those of a transaction in one, in order, the others concurrently. */
export async function replayStatements<T>(
  client: Sql,
  statements: Statement[],
  send: (on: Sql | TransactionSql, statement: Statement) => Promise<T>,
): Promise<T[]> {
  const numbers = [...new Set(statements.flatMap(({ transaction }) => transaction ?? []))]
  const transactional = async (number: number) => {
    const results: T[] = []
    await client.begin(async (tx) => {
      for (const statement of statements.filter(({ transaction }) => transaction === number))
        results.push(await send(tx, statement))
    })
    return results
  }
  const groups: T[][] = []
  for (const number of numbers) groups.push(await transactional(number))
  const single = statements.filter(({ transaction }) => transaction === null)
  groups.push(await Promise.all(single.map((statement) => send(client, statement))))
  return groups.flat()
}
