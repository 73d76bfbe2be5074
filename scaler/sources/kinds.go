package sources

import "github.com/mini-hpa/mini-hpa/annotations/catalog"

// Kinds are the kinds of sources that there are.
func Kinds() []Kind {
	return []Kind{
		httpKind,
		kedaKind,
		prometheusKind,
		workloadKind,
		rabbitmqKind,
		redisKind,
		kafkaKind,
		natsKind,
		postgresqlKind,
		mysqlKind,
		sqsKind,
	}
}

// Types are what an administrator's file may say, as catalog.Parse needs them.
func Types() []catalog.Type {
	var types []catalog.Type
	for _, k := range Kinds() {
		types = append(types, k.Type)
	}
	return types
}
