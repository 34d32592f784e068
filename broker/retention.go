package broker

import "time"

// retain applies the topics' retention and forgets idle producers, at the interval of Kafka's own.
func (c *Cluster) retain(every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			c.retainOnce(time.Now())
		case <-c.done:
			return
		}
	}
}

func (c *Cluster) retainOnce(now time.Time) {
	c.mu.RLock()
	all := c.everyPartitionLocked()
	idle := now.Add(-c.settings.Millis("producer.id.expiration.ms")).UnixMilli()
	c.mu.RUnlock()
	for _, p := range all {
		cfg := p.topic.settings.Load()
		p.mu.Lock()
		p.log.ExpireProducers(idle)
		if cfg.Delete {
			if n := p.log.Retain(now, cfg.Retention, cfg.RetentionBytes); n > 0 {
				p.notifyLocked()
				c.log.Info("retention dropped records", "topic", p.topic.name, "partition", p.index, "bytes", n, "log start", p.log.Start())
			}
		}
		p.mu.Unlock()
	}
}
