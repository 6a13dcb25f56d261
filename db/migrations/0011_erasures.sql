CREATE TABLE "erased_identities" (
	"kind" text NOT NULL,
	"fingerprint" text NOT NULL,
	"business_id" uuid NOT NULL,
	"erased_at" timestamp with time zone NOT NULL,
	"mention" text,
	CONSTRAINT "erased_identities_kind_fingerprint_business_id_pk" PRIMARY KEY("kind","fingerprint","business_id")
);
--> statement-breakpoint
ALTER TABLE "erased_identities" ADD CONSTRAINT "erased_identities_business_id_businesses_id_fk" FOREIGN KEY ("business_id") REFERENCES "public"."businesses"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "erased_identities_business" ON "erased_identities" USING btree ("business_id");--> statement-breakpoint
CREATE INDEX "erased_identities_named" ON "erased_identities" USING btree ("business_id") WHERE "erased_identities"."mention" is not null;--> statement-breakpoint
CREATE INDEX "erased_identities_age" ON "erased_identities" USING btree ("erased_at");