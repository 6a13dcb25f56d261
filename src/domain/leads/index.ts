export { getLead, listLeads } from './queries.ts'
export { saveLead } from './save-lead.ts'
