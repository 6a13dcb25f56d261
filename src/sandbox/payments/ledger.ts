/** One movement of money, as the provider's own books have it. */
export type LedgerEntry = {
  id: string
  kind: 'charge' | 'refund'
  /** The merchant's id that came with it. */
  reference: string | null
  /** Smallest unit. */
  amount: number
  currency: string
  status: 'pending' | 'completed' | 'failed'
  /** Of a refund: the charge. */
  chargeId: string | null
  at: string
}

/** What the provider really took and gave: the truth that the merchant's books are held against. */
export class Ledger {
  readonly entries: LedgerEntry[] = []

  add(entry: Omit<LedgerEntry, 'at'>): LedgerEntry {
    const kept = { ...entry, at: new Date().toISOString() }
    this.entries.push(kept)
    return kept
  }

  toJson() {
    const sum = (kind: LedgerEntry['kind']) =>
      this.entries
        .filter((entry) => entry.kind === kind && entry.status === 'completed')
        .reduce((total, entry) => total + entry.amount, 0)
    return { charged: sum('charge'), refunded: sum('refund'), entries: this.entries }
  }
}
