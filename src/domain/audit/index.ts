export { auditFilters, auditView, listAudit } from './queries.ts'
