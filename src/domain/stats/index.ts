export { callTotals, callTotalsView } from './calls.ts'
export { leadTotals, leadTotalsView, messageTotals, messageTotalsView } from './totals.ts'
export { businessUsage, monthUsage, usageByMonth, usageOfBusinesses } from './usage.ts'
