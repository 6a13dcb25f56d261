CREATE TABLE "import_keys" (
	"business_id" uuid NOT NULL,
	"key" text NOT NULL,
	"lead_id" uuid,
	"contact_id" uuid,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "import_keys_business_id_key_pk" PRIMARY KEY("business_id","key")
);
--> statement-breakpoint
ALTER TABLE "imports" ADD COLUMN "existing" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "import_keys" ADD CONSTRAINT "import_keys_business_id_businesses_id_fk" FOREIGN KEY ("business_id") REFERENCES "public"."businesses"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "import_keys" ADD CONSTRAINT "import_keys_lead_id_leads_id_fk" FOREIGN KEY ("lead_id") REFERENCES "public"."leads"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "import_keys" ADD CONSTRAINT "import_keys_contact_id_contacts_id_fk" FOREIGN KEY ("contact_id") REFERENCES "public"."contacts"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "import_keys_lead" ON "import_keys" USING btree ("lead_id");--> statement-breakpoint
CREATE INDEX "import_keys_contact" ON "import_keys" USING btree ("contact_id");