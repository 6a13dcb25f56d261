/** Settles as `promise` does, or rejects after `ms`. @param timedOut makes the error of the timeout */
export async function withTimeout<T>(
  promise: Promise<T>,
  ms: number,
  timedOut: () => Error = () => new Error(`There was no answer within ${ms} ms.`),
): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(timedOut()), ms)
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
