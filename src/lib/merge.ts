type Fields = Readonly<Record<string, unknown>>

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Whether two JSON values are the same; a field that is undefined counts as absent. */
export function isSame(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (Array.isArray(a) && Array.isArray(b))
    return a.length === b.length && a.every((value, index) => isSame(value, b[index]))
  if (!isFields(a) || !isFields(b)) return false
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].every((key) => isSame(a[key], b[key]))
}

/** Merges two changes of a JSON value by field (a list is one); conflicts keep `mine` and are returned as paths. */
export function mergeChanges<T>(base: T, mine: T, theirs: T): { merged: T; overlaps: string[] } {
  const overlaps: string[] = []
  const join = (was: unknown, ours: unknown, others: unknown, path: string): unknown => {
    if (isSame(ours, was)) return others
    if (isSame(others, was) || isSame(ours, others)) return ours
    if (isFields(ours) && isFields(others)) {
      const before = isFields(was) ? was : {}
      const keys = [...new Set([...Object.keys(ours), ...Object.keys(others)])]
      return Object.fromEntries(
        keys.flatMap((key) => {
          const value = join(before[key], ours[key], others[key], path ? `${path}.${key}` : key)
          return value === undefined ? [] : [[key, value]]
        }),
      )
    }
    overlaps.push(path)
    return ours
  }
  // The same fields go in and come out.
  return { merged: join(base, mine, theirs, '') as T, overlaps }
}
