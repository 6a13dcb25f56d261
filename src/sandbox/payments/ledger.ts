export type LedgerEntry = {
  id: string
  kind: 'charge' | 'refund'
  reference: string | null
  amount: number
  currency: string
  status: 'pending' | 'completed' | 'failed'
  chargeId: string | null
  at: string
}

/** The money that the provider really took and gave, which the merchant's books are compared with. */
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
