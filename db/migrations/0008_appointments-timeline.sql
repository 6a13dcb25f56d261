DROP INDEX "appointments_contact";--> statement-breakpoint
CREATE INDEX "appointments_timeline" ON "appointments" USING btree ("contact_id","created_at","id");